//! Raw system calls with six arguments, one file per ABI.

cfg_if::cfg_if! {
    if #[cfg(target_arch = "x86_64")] {
        mod x86_64;
        pub(crate) use x86_64::syscall6;
    } else if #[cfg(target_arch = "aarch64")] {
        mod aarch64;
        pub(crate) use aarch64::syscall6;
    } else {
        compile_error!("esca-sys knows the system call ABI of x86-64 and AArch64 only");
    }
}
