# Configures, builds and runs app/ in work_dir: -Dname=installed installs build_dir there first,
# -Dname=subdirectory adds source_dir.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${work_dir}")
if(name STREQUAL "installed")
  run("${CMAKE_COMMAND}" --install "${build_dir}" --prefix "${work_dir}/prefix")
  set(arguments "-DCMAKE_PREFIX_PATH=${work_dir}/prefix")
else()
  set(arguments "-DDWELL_SOURCE_DIR=${source_dir}")
endif()

foreach(library http admin)
  string(TOUPPER "${library}" name_of_option)
  if(NOT "${libraries}" MATCHES "${library}")
    list(APPEND arguments "-DDWELL_BUILD_${name_of_option}=OFF")
  endif()
endforeach()

if(launcher)
  list(APPEND arguments "-DCMAKE_CXX_COMPILER_LAUNCHER=${launcher}")
endif()

run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/app" -B "${work_dir}/build" -G Ninja
  "-DCMAKE_CXX_COMPILER=${compiler}"
  -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF ${arguments})
run("${CMAKE_COMMAND}" --build "${work_dir}/build")

execute_process(COMMAND "${work_dir}/build/app" OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
if(NOT output MATCHES "${version}")
  message(FATAL_ERROR "app printed '${output}', not version ${version}")
endif()
if("${libraries}" MATCHES "http")
  run("${work_dir}/build/site")
endif()
if("${libraries}" MATCHES "admin")
  run("${work_dir}/build/watched")
endif()
