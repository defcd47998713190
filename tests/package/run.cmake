# Installs the engine into an empty prefix, then configures, builds and runs the project of this folder against it: as it is, which is
# without any optimisation, and with -O2.
set(work ${build}/package_test)
file(REMOVE_RECURSE ${work})

function(step)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGN}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

step(${CMAKE_COMMAND} --install ${build} --component autodiff --prefix ${work}/prefix)
foreach(level 0 2)
  set(consumer ${work}/consumer_O${level})
  set(flags)
  if(level)
    set(flags -D CMAKE_CXX_FLAGS=-O${level})
  endif()
  step(${CMAKE_COMMAND} -S ${source} -B ${consumer} -G ${generator} -D CMAKE_CXX_COMPILER=${compiler} -D CMAKE_BUILD_TYPE= ${flags}
    -D CMAKE_PREFIX_PATH=${work}/prefix)
  step(${CMAKE_COMMAND} --build ${consumer})
  step(${consumer}/fit_line)
  if(NOT output STREQUAL "y = 2.00 x + 1.00\n")
    message(FATAL_ERROR "fit_line at -O${level} printed: ${output}")
  endif()
endforeach()
