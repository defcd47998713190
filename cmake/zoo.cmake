# config <- models, datasets <- runner <- the vaezoo command. models is built in double too, for gradient checks.
file(GLOB config_sources CONFIGURE_DEPENDS config/*.cpp)
file(GLOB model_sources CONFIGURE_DEPENDS models/*.cpp models/*/*.cpp)
file(GLOB dataset_sources CONFIGURE_DEPENDS datasets/*.cpp)
file(GLOB runner_sources CONFIGURE_DEPENDS experiments/runner/*.cpp experiments/output/*.cpp experiments/tasks/*.cpp)
list(FILTER runner_sources EXCLUDE REGEX "/main\\.cpp$")

add_library(config STATIC ${config_sources})
target_include_directories(config PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/vaezoo>)
target_compile_features(config PUBLIC cxx_std_20)
target_link_libraries(config PUBLIC nlohmann_json::nlohmann_json PRIVATE $<BUILD_INTERFACE:vaezoo_flags>)

foreach(suffix "" "_f64")
  add_library(models${suffix} STATIC ${model_sources})
  target_link_libraries(models${suffix} PUBLIC autodiff${suffix} config PRIVATE $<BUILD_INTERFACE:vaezoo_flags>)
endforeach()

add_library(datasets STATIC ${dataset_sources})
target_include_directories(datasets SYSTEM PRIVATE ${libzip_INCLUDE_DIRS})
target_link_libraries(datasets PUBLIC autodiff config PRIVATE $<BUILD_INTERFACE:vaezoo_flags> ZLIB::ZLIB PNG::PNG ${libzip_LINK_LIBRARIES})
if(JPEG_FOUND)
  target_compile_definitions(datasets PRIVATE VAEZOO_JPEG)
  target_link_libraries(datasets PRIVATE JPEG::JPEG)
endif()
if(CURL_FOUND AND OpenSSL_FOUND)
  target_compile_definitions(datasets PRIVATE VAEZOO_DOWNLOAD)
  target_link_libraries(datasets PRIVATE CURL::libcurl OpenSSL::Crypto)
endif()

string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
string(STRIP "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}}" build_flags)
if(VAEZOO_NATIVE)
  string(APPEND build_flags " -march=native")
endif()
set_property(SOURCE experiments/output/environment.cpp APPEND PROPERTY COMPILE_DEFINITIONS
  "VAEZOO_VERSION=\"${PROJECT_VERSION}\"" "VAEZOO_FLAGS=\"${build_flags}\"")

add_library(runner STATIC ${runner_sources})
# xtensor-blas is headers alone; the LAPACK behind it is OpenBLAS's own.
target_link_libraries(runner PUBLIC models datasets PRIVATE $<BUILD_INTERFACE:vaezoo_flags> $<BUILD_INTERFACE:CLI11::CLI11> fmt::fmt PNG::PNG
  ZLIB::ZLIB ${openblas_LINK_LIBRARIES})

add_executable(vaezoo experiments/runner/main.cpp)
target_link_libraries(vaezoo PRIVATE runner vaezoo_flags)
