{
  "target_defaults": {
    "cflags_c": ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Werror"],
    "cflags_c!": ["-Wno-unused-parameter"],
    "cflags_cc": ["-std=c++17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra"],
    "cflags_cc!": ["-fno-exceptions", "-std=gnu++17"],
    "cflags!": ["-fno-exceptions", "-Wno-unused-parameter"]
  },
  "targets": [
    {
      "target_name": "migrun",
      "sources": ["<!@(ls native/*/*.c native/addon/*.cc native/addon/*/*.cc | grep -v native/init/)"],
      "include_dirs": [
        "<!@(node -p \"require('node-addon-api').include_dir\")",
        "native",
        "preload"
      ],
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS"]
    },
    {
      "target_name": "libmigrun",
      "type": "shared_library",
      "product_prefix": "lib",
      "product_dir": "<(PRODUCT_DIR)",
      "sources": ["<!@(ls preload/*.c preload/*/*.c)"],
      "include_dirs": ["preload"],
      # What is exported says so (preload/start.c).
      "cflags_c": ["-fvisibility=hidden"],
      "libraries": ["-ldl"]
    },
    {
      "target_name": "migrun-init",
      "type": "executable",
      "sources": ["native/init/init.c"],
      "include_dirs": ["native", "preload"],
      # Its memory and its mappings are dumped, sent and restored in every move's pause.
      "cflags": ["-fno-pie"],
      "ldflags": ["-static", "-no-pie"]
    }
  ]
}
