#pragma once

/// HTTP/1.1 servers: link dwell::http.
#include <dwell/dwell.hpp>
#include <dwell/http/exchange.hpp>
#include <dwell/http/files.hpp>
#include <dwell/http/method.hpp>
#include <dwell/http/request.hpp>
#include <dwell/http/response.hpp>
#include <dwell/http/router.hpp>
#include <dwell/http/serve.hpp>
#include <dwell/http/status.hpp>
#include <dwell/http/websocket.hpp>
