//! Lets two published versions of one crate stand in one program.
//!
//! Both export the helpers of their compiled code (`fusevm_jit_pow_f64` and three more) under the same
//! unmangled names. They do the same in both versions, so the linker may take either.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS");
    if system.is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg=-Wl,--allow-multiple-definition");
    }
}
