//! Links ISA-L, from where the system keeps it or from the directory in `ISAL_DIR`.

fn main() {
    println!("cargo:rerun-if-env-changed=ISAL_DIR");
    if let Ok(directory) = std::env::var("ISAL_DIR") {
        println!("cargo:rustc-link-search=native={directory}");
        println!("cargo:rustc-link-lib=static=isal");
    } else {
        println!("cargo:rustc-link-lib=dylib=isal");
    }
}
