# What `cmake --install` puts where, beside the programs themselves (jail_ship): the profiles and the texts.
install(DIRECTORY profiles/ DESTINATION ${CMAKE_INSTALL_DATADIR}/jail/profiles)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The socket starts jaild when somebody asks: `systemctl enable --now jaild.socket`.
set(JAILD ${CMAKE_INSTALL_FULL_SBINDIR}/jaild)
configure_file(${CMAKE_SOURCE_DIR}/scripts/jaild.service.in ${CMAKE_BINARY_DIR}/jaild.service @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/jaild.service ${CMAKE_SOURCE_DIR}/scripts/jaild.socket
  DESTINATION lib/systemd/system)
