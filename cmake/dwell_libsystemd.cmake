# libsystemd, which comes without a CMake package: the target PkgConfig::libsystemd.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(libsystemd QUIET IMPORTED_TARGET GLOBAL libsystemd>=247)
endif()
if(NOT TARGET PkgConfig::libsystemd)
  message(FATAL_ERROR "dwell::systemd needs libsystemd and pkg-config: install libsystemd-dev and pkg-config, or do without with "
    "-DDWELL_BUILD_SYSTEMD=OFF.")
endif()
