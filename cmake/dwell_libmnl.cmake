# libmnl, which comes without a CMake package: the target PkgConfig::libmnl.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(libmnl QUIET IMPORTED_TARGET GLOBAL libmnl>=1.0.4)
endif()
if(NOT TARGET PkgConfig::libmnl)
  message(FATAL_ERROR "dwell::kernel needs libmnl and pkg-config: install libmnl-dev and pkg-config, or do without with "
    "-DDWELL_BUILD_KERNEL=OFF.")
endif()
