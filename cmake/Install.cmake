# What `cmake --install` puts where, beside the programs themselves (jail_ship): the profiles and the texts.
install(DIRECTORY profiles/ DESTINATION ${CMAKE_INSTALL_DATADIR}/jail/profiles)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
