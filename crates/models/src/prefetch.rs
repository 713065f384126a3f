//! Asks the processor for memory that is needed soon.

/// Begins to load where `value` lies, and waits for nothing. A hint: without it everything is the same, slower.
#[inline(always)]
pub fn prefetch<T: ?Sized>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, and the address is that of a reference.
        #[allow(unsafe_code, reason = "no safe way to say it; the address is a reference's")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
