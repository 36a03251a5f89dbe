# holdfast_embed_migrations(<target>): compiles migrations/*.sql into the target as
# holdfast::sqlite::embedded_migrations().
#
# Run as a script (cmake -P) it writes that source file; see below.
if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  file(GLOB scripts "${FOLDER}/*.sql")
  list(SORT scripts)
  set(entries "")
  foreach(script IN LISTS scripts)
    get_filename_component(name "${script}" NAME)
    file(READ "${script}" sql)
    string(APPEND entries "    {\"${name}\", R\"holdfast(${sql})holdfast\"},\n")
  endforeach()
  file(WRITE "${OUTPUT}" "#include \"migrations.hpp\"

namespace holdfast::sqlite {

std::span<const Migration> embedded_migrations() {
  static constexpr Migration migrations[] = {
${entries}  };
  return migrations;
}

}  // namespace holdfast::sqlite
")
  return()
endif()

function(holdfast_embed_migrations target)
  set(folder "${PROJECT_SOURCE_DIR}/migrations")
  set(output "${CMAKE_CURRENT_BINARY_DIR}/${target}_migrations.cpp")
  set(script "${PROJECT_SOURCE_DIR}/cmake/EmbedMigrations.cmake")
  file(GLOB scripts CONFIGURE_DEPENDS "${folder}/*.sql")
  add_custom_command(
    OUTPUT "${output}"
    COMMAND ${CMAKE_COMMAND} "-DFOLDER=${folder}" "-DOUTPUT=${output}" -P "${script}"
    DEPENDS ${scripts} "${script}"
    COMMENT "Embedding the migrations")
  target_sources(${target} PRIVATE "${output}")
endfunction()
