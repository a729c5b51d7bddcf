//! Tells the engine whether its handlers' last calls become jumps: they do with any optimization,
//! not at level 0, where they would pile up on the stack.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(tail_calls)");
    if std::env::var("OPT_LEVEL").is_ok_and(|level| level != "0") {
        println!("cargo:rustc-cfg=tail_calls");
    }
}
