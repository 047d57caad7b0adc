#pragma once

#include <dwell/closing/close_plan.hpp>
#include <dwell/closing/close_reason.hpp>
#include <dwell/closing/close_record.hpp>
#include <dwell/connection/callbacks.hpp>
#include <dwell/connection/connection.hpp>
#include <dwell/connection/handler.hpp>
#include <dwell/connection/offload.hpp>
#include <dwell/connection/options.hpp>
#include <dwell/connection/sleep_for.hpp>
#include <dwell/connection/task.hpp>
#include <dwell/deadline/deadlines.hpp>
#include <dwell/net/endpoint.hpp>
#include <dwell/net/socket_options.hpp>
#include <dwell/server/options.hpp>
#include <dwell/server/server.hpp>
#include <dwell/version.hpp>
