//! The loops everything else spends its time in.
//!
//! Each kernel is one safe function body that is compiled twice: once for what every processor has, and once with
//! AVX2 and FMA, taken at run time where the processor has them ([`vectorised!`]). The bodies work on blocks of eight
//! lanes with an explicit fused multiply-add, so both compilations round alike and give the same bits; the tests
//! compare them. `unsafe` is only the call across the instruction sets, and the int8 products of [`quantised`], whose
//! instructions the compiler does not find by itself.

pub(crate) mod lanes;
pub(crate) mod nearest;
pub(crate) mod product;
pub(crate) mod quantised;
pub(crate) mod sparse;

/// Whether the wide compilation may be called.
#[inline]
pub(crate) fn wide() -> bool {
    #[cfg(test)]
    if PORTABLE_ONLY.get() {
        return false;
    }
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Defines a function whose body is compiled for every processor and for AVX2 with FMA, and chooses when called.
///
/// What the body calls should be `#[inline(always)]`, else it stays in its narrow compilation.
macro_rules! vectorised {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $output:ty)? $body:block
    ) => {
        $(#[$attribute])*
        $visibility fn $name($($argument: $type),*) $(-> $output)? {
            #[inline(always)]
            fn body($($argument: $type),*) $(-> $output)? $body

            #[cfg(target_arch = "x86_64")]
            if $crate::kernels::wide() {
                #[target_feature(enable = "avx2,fma")]
                fn compiled_wide($($argument: $type),*) $(-> $output)? {
                    body($($argument),*)
                }
                // SAFETY: `wide` has just found both instruction sets in this processor.
                #[allow(unsafe_code, reason = "the call across instruction sets; the body itself is safe")]
                return unsafe { compiled_wide($($argument),*) };
            }
            body($($argument),*)
        }
    };
}
pub(crate) use vectorised;

#[cfg(test)]
std::thread_local! {
    static PORTABLE_ONLY: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `work` on the compilation for every processor.
#[cfg(test)]
pub(crate) fn portable<R>(work: impl FnOnce() -> R) -> R {
    PORTABLE_ONLY.set(true);
    let result = work();
    PORTABLE_ONLY.set(false);
    result
}

#[cfg(test)]
mod tests;
