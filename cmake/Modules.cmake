# A module is a folder of src/ and one of include/holdfast/; its library is named holdfast_<name>.

# The release and the sanitizer presets compile several files as one (CMAKE_UNITY_BUILD), for headers
# cost more than code does; the other presets and clang-tidy read each by itself, which shows that it
# includes what it needs.
# Files of one folder therefore do not use a name of their own twice.

# A file includes its neighbours by their plain names. It has no path to other modules' private headers.
# holdfast_module(<name> USES <modules>... PRIVATE <libraries>...)
function(holdfast_module name)
  cmake_parse_arguments(arg "" "" "USES;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.cpp")
  list(TRANSFORM arg_USES PREPEND holdfast_)
  if(sources)
    add_library(holdfast_${name} STATIC ${sources})
    target_include_directories(holdfast_${name} PUBLIC "${PROJECT_SOURCE_DIR}/include"
                               PRIVATE "${PROJECT_SOURCE_DIR}/src/${name}")
    target_link_libraries(holdfast_${name} PUBLIC ${arg_USES} PRIVATE ${arg_PRIVATE})
  else()
    add_library(holdfast_${name} INTERFACE)
    target_include_directories(holdfast_${name} INTERFACE "${PROJECT_SOURCE_DIR}/include")
    target_link_libraries(holdfast_${name} INTERFACE ${arg_USES} ${arg_PRIVATE})
  endif()
endfunction()

# holdfast_test_support(<name> USES <libraries>...): what tests share, from tests/support/<name>.
function(holdfast_test_support name)
  cmake_parse_arguments(arg "" "" "USES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/${name}/*.cpp")
  if(sources)
    add_library(support_${name} STATIC ${sources})
    target_include_directories(support_${name} PUBLIC "${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(support_${name} PUBLIC ${arg_USES})
  else()
    add_library(support_${name} INTERFACE)
    target_include_directories(support_${name} INTERFACE "${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(support_${name} INTERFACE ${arg_USES})
  endif()
endfunction()

# holdfast_test(<name> FOLDER <folder below tests/> USES <libraries>... LABELS <labels>...)
function(holdfast_test name)
  cmake_parse_arguments(arg "" "FOLDER" "USES;LABELS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${arg_FOLDER}/*.cpp")
  if(sources)
    add_executable(${name} ${sources})
    target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(${name} PRIVATE ${arg_USES} GTest::gmock GTest::gtest_main)
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS "${arg_LABELS}")
  endif()
endfunction()
