//! Inner products of int8 rows with a 16-bit query.
//!
//! Integer sums are exact, so the portable loop and the AVX2 one agree bit for bit. The caller keeps
//! `127 * sum |query|` below 2^31, so that no sum of 32 bits overflows.

/// Rows are padded with zeros to a multiple of this many codes.
pub(crate) const CODES: usize = 16;

/// Writes the inner product of `query` with each row of `codes` to `products`. Rows and the query have
/// `query.len()` numbers, a multiple of sixteen.
pub(crate) fn scan(codes: &[i8], query: &[i16], products: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    if super::wide() {
        // SAFETY: `wide` has just found AVX2 in this processor.
        #[allow(unsafe_code, reason = "the call across instruction sets")]
        unsafe {
            avx2::scan(codes, query, products);
        }
        return;
    }
    for (row, product) in codes.chunks_exact(query.len()).zip(products) {
        *product = row.iter().zip(query).map(|(&code, &q)| i32::from(code) * i32::from(q)).sum();
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "unaligned vector loads, each from a block whose length the type proves")]
mod avx2 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_add_epi32, _mm_loadu_si128, _mm_storeu_si128, _mm256_add_epi32,
        _mm256_castsi256_si128, _mm256_cvtepi8_epi16, _mm256_extracti128_si256, _mm256_hadd_epi32,
        _mm256_loadu_si256, _mm256_madd_epi16, _mm256_setzero_si256,
    };

    /// See [`super::scan`].
    #[target_feature(enable = "avx2")]
    pub(super) fn scan(codes: &[i8], query: &[i16], products: &mut [i32]) {
        let query = query.as_chunks::<16>().0;
        let blocks = query.len();
        let rows = codes.as_chunks::<16>().0;
        let (fours, rest) = products.as_chunks_mut::<4>();
        let whole = fours.len() * 4 * blocks;
        for (four, products) in rows[..whole].chunks_exact(4 * blocks).zip(fours) {
            let (first, others) = four.split_at(blocks);
            let (second, others) = others.split_at(blocks);
            let (third, fourth) = others.split_at(blocks);
            let mut sums = [_mm256_setzero_si256(); 4];
            for k in 0..blocks {
                let q = load_query(&query[k]);
                for (sum, row) in sums.iter_mut().zip([&first[k], &second[k], &third[k], &fourth[k]]) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(load_codes(row), q));
                }
            }
            store(products, total_four(sums));
        }
        for (row, product) in rows[whole..].chunks_exact(blocks).zip(rest) {
            let mut sum = _mm256_setzero_si256();
            for (row, q) in row.iter().zip(query) {
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(load_codes(row), load_query(q)));
            }
            let mut four = [0; 4];
            store(&mut four, total_four([sum; 4]));
            *product = four[0];
        }
    }

    /// The sum of the lanes of each of four registers.
    #[target_feature(enable = "avx2")]
    fn total_four([a, b, c, d]: [__m256i; 4]) -> __m128i {
        let halves = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves))
    }

    #[target_feature(enable = "avx2")]
    fn load_codes(block: &[i8; 16]) -> __m256i {
        // SAFETY: the block holds the 16 bytes that are read; the load needs no alignment.
        _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(block.as_ptr().cast()) })
    }

    #[target_feature(enable = "avx2")]
    fn load_query(block: &[i16; 16]) -> __m256i {
        // SAFETY: the block holds the 32 bytes that are read; the load needs no alignment.
        unsafe { _mm256_loadu_si256(block.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx2")]
    fn store(products: &mut [i32; 4], sums: __m128i) {
        // SAFETY: the array holds the 16 bytes that are written; the store needs no alignment.
        unsafe { _mm_storeu_si128(products.as_mut_ptr().cast(), sums) }
    }
}
