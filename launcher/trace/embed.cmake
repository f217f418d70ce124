# Writes C++ that holds OBJECTS as bytes (objects.h) and the SHA-256 of all of them, in this order.
set(arrays "")
set(rows "")
set(digests "")
foreach(object ${OBJECTS})
  get_filename_component(name ${object} NAME_WE)
  file(SHA256 ${object} digest)
  string(APPEND digests ${digest})
  string(APPEND arrays "asm(\".section .rodata\\n.balign 16\\njail_bpf_${name}:\\n.incbin \\\"${object}\\\"\\n\"
    \"jail_bpf_${name}_end:\\n.previous\\n\");
extern \"C\" __attribute__((visibility(\"hidden\"))) const unsigned char jail_bpf_${name}[], jail_bpf_${name}_end[];\n")
  string(APPEND rows "      {\"${name}\", {jail_bpf_${name}, jail_bpf_${name}_end}},\n")
endforeach()
string(SHA256 digest "${digests}")
file(WRITE ${OUTPUT} "#include \"trace/objects.h\"

${arrays}
namespace jail::trace {

std::span<const Object> objects() {
  static const Object all[] = {
${rows}  };
  return all;
}

std::string_view objects_digest() { return \"${digest}\"; }

}  // namespace jail::trace
")
