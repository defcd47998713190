# `cmake --install BUILD` gives find_package(vaezoo) with vaezoo::autodiff, the engine in float, and the vaezoo program.
# find_package(vaezoo COMPONENTS runner) adds the zoo: vaezoo::models, vaezoo::datasets, vaezoo::config and vaezoo::runner, whose
# vaezoo::main is the whole command. The engine only: `cmake --install BUILD --component autodiff`.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vaezoo)

install(TARGETS autodiff EXPORT vaezooTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT autodiff)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/autodiff DESTINATION include/vaezoo COMPONENT autodiff FILES_MATCHING PATTERN "*.hpp")
install(EXPORT vaezooTargets NAMESPACE vaezoo:: DESTINATION ${package_dir} COMPONENT autodiff)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/vaezooConfig.cmake.in ${PROJECT_BINARY_DIR}/vaezooConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vaezooConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vaezooConfig.cmake ${PROJECT_BINARY_DIR}/vaezooConfigVersion.cmake DESTINATION ${package_dir}
  COMPONENT autodiff)

foreach(part config models datasets experiments)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${part} DESTINATION include/vaezoo COMPONENT runner FILES_MATCHING PATTERN "*.hpp")
endforeach()
install(TARGETS config models datasets runner EXPORT vaezooRunnerTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runner)
install(EXPORT vaezooRunnerTargets NAMESPACE vaezoo:: DESTINATION ${package_dir} COMPONENT runner)

install(TARGETS vaezoo RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)

if(VAEZOO_TESTS)
  add_test(NAME package COMMAND ${CMAKE_COMMAND} -D build=${PROJECT_BINARY_DIR} -D source=${PROJECT_SOURCE_DIR}/tests/package
    -D generator=${CMAKE_GENERATOR} -D compiler=${CMAKE_CXX_COMPILER} -P ${PROJECT_SOURCE_DIR}/tests/package/run.cmake)
  set_tests_properties(package PROPERTIES LABELS package)
endif()
