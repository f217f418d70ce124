# What every target is compiled and linked with beside its warnings: sanitizers when a preset asks for them, otherwise,
# in Release, what makes a memory error in the launcher end the launcher. tests/repo/binary_test.py asserts the result.
set(JAIL_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, for example address,undefined; needs JAIL_STATIC=OFF")

if(JAIL_SANITIZE)
  if(JAIL_STATIC)
    message(FATAL_ERROR "JAIL_SANITIZE needs JAIL_STATIC=OFF: the sanitizers' run-time libraries are dynamic")
  endif()
  set(sanitize -fsanitize=${JAIL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(jail_flags INTERFACE ${sanitize})
  target_link_options(jail_flags INTERFACE ${sanitize})
endif()

# -O2 without NDEBUG: an assertion that fails must end a release, too, before a half-built jail runs a plugin.
set(CMAKE_C_FLAGS_RELEASE "-O2")
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

# GCC 12 warns falsely on optimised std::string concatenation (GCC bug 105651).
target_compile_options(jail_flags INTERFACE $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-restrict>)

# -ftrivial-auto-var-init=zero: no uninitialised stack byte can reach a plugin. Sections: unused library code, such as
# the parts of the C library that ask name services, does not end up in the binary.
target_compile_options(jail_flags INTERFACE $<$<CONFIG:Release>:
  -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero
  -ffunction-sections -fdata-sections>)
target_link_options(jail_flags INTERFACE
  -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code $<$<CONFIG:Release>:-Wl,--gc-sections>)

# jail_ship(TARGET [FOLDER]): links a program that users get, and installs it in FOLDER (bin). Static-pie: no loader and
# no library of the machine runs before main(), and nothing can be preloaded; it costs 0.04 ms over a fixed-address one
# and saves 0.5 ms over a dynamic one.
function(jail_ship target)
  target_link_libraries(${target} PRIVATE jail_flags)
  if(JAIL_STATIC)
    # Packed relative relocations: 0.03 ms of 0.75 for `jail --version`, and 3 % of the file. LTO gave no more.
    target_link_options(${target} PRIVATE -static-pie -Wl,-z,pack-relative-relocs)
  endif()
  set(folder ${ARGN} ${CMAKE_INSTALL_BINDIR})
  list(GET folder 0 folder)
  install(TARGETS ${target} RUNTIME DESTINATION ${folder})
endfunction()
