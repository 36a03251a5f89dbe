# What Debian and others build their daemons with, and a program that tells nothing of the folder it was
# built in. Release builds alone: the sanitizers want none of it, and FORTIFY needs an optimizer.
if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
  return()
endif()
include(CheckCXXCompilerFlag)

add_compile_options(-fPIE)
add_link_options(-pie -Wl,-z,relro,-z,now -Wl,--build-id=sha1)
# Some distributions' compilers define it themselves. Level 3 is taken for 2 where it is not known.
add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
# Not every compiler and processor has these.
foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection
             -mbranch-protection=standard)
  string(MAKE_C_IDENTIFIER "HOLDFAST_HAS${flag}" known)
  check_cxx_compiler_flag(${flag} ${known})
  if(${known})
    add_compile_options(${flag})
  endif()
endforeach()

# The same sources make the same program, wherever they lie, and whether or not ccache has made paths
# relative to the build's folder. Of several that fit, the last counts.
file(RELATIVE_PATH up "${PROJECT_BINARY_DIR}" "${PROJECT_SOURCE_DIR}")
string(REGEX REPLACE "/$" "" up "${up}")
foreach(map "${up}=." "${PROJECT_SOURCE_DIR}=." "${PROJECT_BINARY_DIR}=." "${PROJECT_BINARY_DIR}/=")
  add_compile_options("-ffile-prefix-map=${map}")
endforeach()
