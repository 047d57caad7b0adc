# Puts the admin's page together, and makes C++ of it: cmake -DFROM=<this folder> -DTO=<file.cpp> -P embed.cmake
set(script "")
foreach(name format dom chart server history overview ends kernel table changes page)
  file(READ "${FROM}/${name}.js" part)
  string(APPEND script "${part}\n")
endforeach()
file(READ "${FROM}/page.css" style)
file(READ "${FROM}/page.html" page)
foreach(part style script)
  string(REPLACE "{{${part}}}" "${${part}}" page "${page}")
endforeach()

file(WRITE "${TO}.html" "${page}")
file(READ "${TO}.html" bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REPEAT "0x..," 20 row)
string(REGEX REPLACE "(${row})" "\\1\n" bytes "${bytes}")
file(WRITE "${TO}" "#include \"admin/page/page.hpp\"\n\nnamespace dwell::inline v0 {\n\nnamespace {\nconst unsigned char bytes[] = {\n${bytes}\n};\n}\n\n"
  "std::string_view admin_page() noexcept { return {reinterpret_cast<const char*>(bytes), sizeof bytes}; }\n\n}  // namespace dwell::inline v0\n")
