# One program per area. tests_f64 holds the gradient checks; it and the engine's own tests run in float as well.
find_package(doctest REQUIRED)
file(GLOB engine_tests CONFIGURE_DEPENDS tests/engine/*.cpp)
file(GLOB model_tests CONFIGURE_DEPENDS tests/models/*.cpp)
file(GLOB zoo_tests CONFIGURE_DEPENDS tests/zoo/*.cpp)

function(add_tests name)
  add_executable(${name} tests/main.cpp ${ARGN})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE -O1)  # tests compile in half the time and still run fast: the kernels are in the libraries
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS unit)
endfunction()

foreach(suffix "" "_f64")
  add_tests(test_engine${suffix} ${engine_tests})
  target_link_libraries(test_engine${suffix} PRIVATE autodiff${suffix} vaezoo_flags nlohmann_json::nlohmann_json)
  add_tests(test_models${suffix} ${model_tests})
  target_link_libraries(test_models${suffix} PRIVATE models${suffix} vaezoo_flags nlohmann_json::nlohmann_json)
endforeach()
add_tests(test_zoo ${zoo_tests})
add_tests(test_fuzz ${fuzz_sources})
target_link_libraries(test_fuzz PRIVATE runner vaezoo_flags nlohmann_json::nlohmann_json)
add_dependencies(test_zoo vaezoo)  # some tests run the program
target_compile_definitions(test_zoo PRIVATE "VAEZOO_PROGRAM=\"$<TARGET_FILE:vaezoo>\"")
target_link_libraries(test_zoo PRIVATE runner vaezoo_flags nlohmann_json::nlohmann_json ZLIB::ZLIB PNG::PNG PkgConfig::libzip)
