# uPlot, which draws the charts of the report: taken from npm, not kept here. Without it the page has its tables only.
# Sets uplot_DIR, the unpacked package; empty without it. Offline: -Duplot_DIR=<folder of the unpacked npm package>.
set(uplot_version 1.6.32)
set(uplot_sha256 4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d)

set(uplot_npm_dir "${CMAKE_CURRENT_BINARY_DIR}/uplot")
find_path(uplot_DIR dist/uPlot.iife.min.js PATHS "${uplot_npm_dir}/package" NO_DEFAULT_PATH
  DOC "The unpacked npm package uplot, for the charts of dwell-load's report")
mark_as_advanced(uplot_DIR)
find_program(NPM_EXECUTABLE npm)
mark_as_advanced(NPM_EXECUTABLE)

function(load_fetch_uplot)
  set(archive "${uplot_npm_dir}/uplot-${uplot_version}.tgz")
  file(MAKE_DIRECTORY "${uplot_npm_dir}")
  execute_process(
    COMMAND "${NPM_EXECUTABLE}" pack --silent --prefer-offline --fetch-retries=0 --fetch-timeout=20000
      uplot@${uplot_version}
    WORKING_DIRECTORY "${uplot_npm_dir}" TIMEOUT 60 RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(NOT status EQUAL 0 OR NOT EXISTS "${archive}")
    message(STATUS "dwell-load: its report has no charts, since npm could not get uplot@${uplot_version}")
    return()
  endif()
  file(SHA256 "${archive}" sha256)
  if(NOT sha256 STREQUAL uplot_sha256)
    file(REMOVE "${archive}")
    message(WARNING "dwell-load: its report has no charts, since uplot@${uplot_version} from npm is not what it was: "
      "SHA-256 ${sha256}, expected ${uplot_sha256}")
    return()
  endif()
  file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${uplot_npm_dir}")
  message(STATUS "dwell-load: uPlot ${uplot_version} for the charts of its report")
endfunction()

if(NOT uplot_DIR AND NPM_EXECUTABLE)
  load_fetch_uplot()
  find_path(uplot_DIR dist/uPlot.iife.min.js PATHS "${uplot_npm_dir}/package" NO_DEFAULT_PATH)
elseif(NOT uplot_DIR)
  message(STATUS "dwell-load: its report has no charts, since npm was not found")
endif()
