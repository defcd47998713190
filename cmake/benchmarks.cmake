add_executable(step benchmarks/step.cpp)
target_link_libraries(step PRIVATE models vaezoo_flags CLI11::CLI11)
set_target_properties(step PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/benchmarks)

if(benchmark_FOUND)  # Google Benchmark
  add_executable(kernels benchmarks/kernels.cpp)
  target_link_libraries(kernels PRIVATE autodiff vaezoo_flags benchmark::benchmark)
  set_target_properties(kernels PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/benchmarks)
endif()
