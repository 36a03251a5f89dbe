# holdfast_embed_console(<target>): compiles src/control/web/ into the target as
# holdfast::control::console_files().
#
# Run as a script (cmake -P) it writes that source file; see below.
if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  set(types_html "text/html; charset=utf-8")
  set(types_css "text/css; charset=utf-8")
  set(types_js "text/javascript; charset=utf-8")
  set(types_svg "image/svg+xml")
  file(GLOB names RELATIVE "${FOLDER}" "${FOLDER}/*")
  list(SORT names)
  set(entries "")
  foreach(name IN LISTS names)
    string(REGEX REPLACE "^.*\\." "" ending "${name}")
    if(NOT DEFINED types_${ending})
      message(FATAL_ERROR "${FOLDER}/${name}: no content type is known for .${ending}")
    endif()
    file(READ "${FOLDER}/${name}" text)
    file(SHA256 "${FOLDER}/${name}" hash)
    string(APPEND entries "    {\"${name}\", \"${types_${ending}}\", \"${hash}\",
     R\"holdfast(${text})holdfast\"},\n")
  endforeach()
  file(WRITE "${OUTPUT}" "#include \"console_files.hpp\"

namespace holdfast::control {

std::span<const ConsoleFile> console_files() {
  static constexpr ConsoleFile files[] = {
${entries}  };
  return files;
}

}  // namespace holdfast::control
")
  return()
endif()

function(holdfast_embed_console target)
  set(folder "${PROJECT_SOURCE_DIR}/src/control/web")
  set(output "${CMAKE_CURRENT_BINARY_DIR}/${target}_console.cpp")
  set(script "${PROJECT_SOURCE_DIR}/cmake/EmbedConsole.cmake")
  file(GLOB files CONFIGURE_DEPENDS "${folder}/*")
  add_custom_command(
    OUTPUT "${output}"
    COMMAND ${CMAKE_COMMAND} "-DFOLDER=${folder}" "-DOUTPUT=${output}" -P "${script}"
    DEPENDS ${files} "${script}"
    COMMENT "Embedding the console")
  target_sources(${target} PRIVATE "${output}")
endfunction()
