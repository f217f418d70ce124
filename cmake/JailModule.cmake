# jail_module(NAME [DEPENDS module...] [LIBRARIES library...])
# One folder of launcher/ is one module: a static library jail_NAME of every .cc in it (but main.cc, a program's),
# which sees only the modules that it names.
add_library(jail_flags INTERFACE)
target_compile_features(jail_flags INTERFACE cxx_std_20)
target_compile_options(jail_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -fstack-protector-strong
  $<$<BOOL:${JAIL_WERROR}>:-Werror>)
target_compile_definitions(jail_flags INTERFACE _GNU_SOURCE JAIL_VERSION="${PROJECT_VERSION}"
  JAIL_DATADIR="${CMAKE_INSTALL_PREFIX}/share/jail")
# -iquote, not -I: launcher/sys/socket.h must never answer for <sys/socket.h>.
target_compile_options(jail_flags INTERFACE "SHELL:-iquote ${CMAKE_SOURCE_DIR}/launcher")

function(jail_module name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  add_library(jail_${name} STATIC ${sources})
  target_link_libraries(jail_${name} PUBLIC jail_flags)
  foreach(dependency ${ARG_DEPENDS})
    target_link_libraries(jail_${name} PUBLIC jail_${dependency})
  endforeach()
  target_link_libraries(jail_${name} PRIVATE ${ARG_LIBRARIES})
endfunction()
