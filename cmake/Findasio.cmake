# Standalone Asio, header only. Debian and upstream install it without a CMake package.
#
#   asio::asio     the imported target
#   asio_VERSION   1.22.1, ...
find_path(asio_INCLUDE_DIR asio.hpp)
mark_as_advanced(asio_INCLUDE_DIR)

if(asio_INCLUDE_DIR)
  file(STRINGS "${asio_INCLUDE_DIR}/asio/version.hpp" asio_version_line REGEX "^#define ASIO_VERSION [0-9]+")
  string(REGEX MATCH "[0-9]+" asio_version_number "${asio_version_line}")
  # XYYYZZ: major, minor, patch.
  math(EXPR asio_major "${asio_version_number} / 100000")
  math(EXPR asio_minor "${asio_version_number} / 100 % 1000")
  math(EXPR asio_patch "${asio_version_number} % 100")
  set(asio_VERSION ${asio_major}.${asio_minor}.${asio_patch})
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(asio REQUIRED_VARS asio_INCLUDE_DIR VERSION_VAR asio_VERSION)

if(asio_FOUND AND NOT TARGET asio::asio)
  find_package(Threads REQUIRED)
  add_library(asio::asio INTERFACE IMPORTED)
  target_include_directories(asio::asio INTERFACE "${asio_INCLUDE_DIR}")
  target_link_libraries(asio::asio INTERFACE Threads::Threads)
  # Asio 1.22 looks for <experimental/coroutine> under Clang and so misses the standard one.
  target_compile_definitions(asio::asio INTERFACE
    ASIO_STANDALONE
    $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_CO_AWAIT=1>
    $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_STD_COROUTINE=1>)
endif()
