# The engine, twice from the same sources: float for the product, double for gradient checks.
file(GLOB autodiff_sources CONFIGURE_DEPENDS autodiff/*.cpp)

function(add_engine name)
  add_library(${name} STATIC ${autodiff_sources})
  add_library(vaezoo::${name} ALIAS ${name})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/vaezoo>)
  target_compile_features(${name} PUBLIC cxx_std_20)
  # PUBLIC: `map` is compiled into its callers, who must agree on the vector width.
  target_compile_options(${name} PUBLIC -fno-math-errno -fno-trapping-math $<$<BOOL:${VAEZOO_NATIVE}>:-march=native>)
  target_link_libraries(${name} PUBLIC OpenMP::OpenMP_CXX xsimd xtensor PRIVATE $<BUILD_INTERFACE:vaezoo_flags>
    $<BUILD_INTERFACE:nlohmann_json::nlohmann_json> ${openblas_LINK_LIBRARIES})
  if(dnnl_include AND dnnl_library)
    target_compile_definitions(${name} PRIVATE VAEZOO_ONEDNN)
    target_include_directories(${name} SYSTEM PRIVATE ${dnnl_include})
    target_link_libraries(${name} PRIVATE ${dnnl_library})
  endif()
  if(VAEZOO_SANITIZE)  # who links an installed engine with sanitizers needs them too
    target_compile_options(${name} INTERFACE $<INSTALL_INTERFACE:-fsanitize=${VAEZOO_SANITIZE}>)
    target_link_options(${name} INTERFACE $<INSTALL_INTERFACE:-fsanitize=${VAEZOO_SANITIZE}>)
  endif()
endfunction()

add_engine(autodiff)
add_engine(autodiff_f64)
target_compile_definitions(autodiff_f64 PUBLIC VAEZOO_DOUBLE)
