//! Vectors in blocks of eight lanes: inner products and sums, for use inside kernels.
//!
//! Everything here is `#[inline(always)]`, so that it takes on the instruction set of the kernel that calls it.

/// Eight numbers that one register holds.
pub(crate) type Lanes = [f32; 8];

/// Vectors are padded with zeros to a multiple of this many numbers.
pub(crate) const PADDING: usize = 16;

/// `sum += a * b`, lane by lane, rounded once.
#[inline(always)]
pub(crate) fn multiply_add(sum: &mut Lanes, a: &Lanes, b: &Lanes) {
    for lane in 0..8 {
        sum[lane] = a[lane].mul_add(b[lane], sum[lane]);
    }
}

/// `sum += factor * b`, lane by lane, rounded once.
#[inline(always)]
pub(crate) fn scale_add(sum: &mut Lanes, factor: f32, b: &Lanes) {
    for lane in 0..8 {
        sum[lane] = factor.mul_add(b[lane], sum[lane]);
    }
}

/// Sum of the lanes, halving three times.
#[inline(always)]
pub(crate) fn total(lanes: &Lanes) -> f32 {
    let [a, b, c, d, e, f, g, h] = *lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Takes finished sums through memory. Seeing a sum across lanes right behind a loop, the compiler would reorder the
/// loop's own lanes to suit it, which makes the loop several times slower.
#[inline(always)]
pub(crate) fn settled<T>(sums: T) -> T {
    std::hint::black_box(sums)
}

/// Lane-wise sum.
#[inline(always)]
pub(crate) fn add(a: &Lanes, b: &Lanes) -> Lanes {
    std::array::from_fn(|lane| a[lane] + b[lane])
}

/// The blocks of a vector whose length is a multiple of eight.
#[inline(always)]
pub(crate) fn blocks(vector: &[f32]) -> &[Lanes] {
    vector.as_chunks::<8>().0
}

/// The blocks of a vector whose length is a multiple of eight.
#[inline(always)]
pub(crate) fn blocks_mut(vector: &mut [f32]) -> &mut [Lanes] {
    vector.as_chunks_mut::<8>().0
}

/// Inner product of two vectors of one length, a multiple of eight.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (blocks(a), blocks(b));
    let mut sums = [[0f32; 8]; 4];
    let (a_fours, a_rest) = a.as_chunks::<4>();
    let (b_fours, b_rest) = b.as_chunks::<4>();
    for (a, b) in a_fours.iter().zip(b_fours) {
        for k in 0..4 {
            multiply_add(&mut sums[k], &a[k], &b[k]);
        }
    }
    for (a, b) in a_rest.iter().zip(b_rest) {
        multiply_add(&mut sums[0], a, b);
    }
    let [a, b, c, d] = settled(sums);
    total(&add(&add(&a, &b), &add(&c, &d)))
}

/// A vector in blocks of sixteen lanes: two registers.
pub(crate) type Pair = [Lanes; 2];

/// The double blocks of a vector whose length is a multiple of sixteen.
#[inline(always)]
pub(crate) fn pairs(vector: &[f32]) -> &[Pair] {
    blocks(vector).as_chunks::<2>().0
}

/// The double blocks of a vector whose length is a multiple of sixteen.
#[inline(always)]
pub(crate) fn pairs_mut(vector: &mut [f32]) -> &mut [Pair] {
    blocks_mut(vector).as_chunks_mut::<2>().0
}

/// Inner products of four consecutive rows of `rows` with `vector`; all lengths multiples of sixteen.
#[inline(always)]
pub(crate) fn dot_four(rows: &[f32], vector: &[f32]) -> [f32; 4] {
    let (vector, rows) = (pairs(vector), pairs(rows));
    let (first, rest) = rows.split_at(vector.len());
    let (second, rest) = rest.split_at(vector.len());
    let (third, fourth) = rest.split_at(vector.len());
    // Two sums a row: eight chains keep both multipliers of a core busy. Written out, since the compiler gives up
    // on registers when the rows are an array of its own.
    let mut sums = [[[0f32; 8]; 2]; 4];
    for ((((v, a), b), c), d) in vector.iter().zip(first).zip(second).zip(third).zip(fourth) {
        multiply_add(&mut sums[0][0], &a[0], &v[0]);
        multiply_add(&mut sums[0][1], &a[1], &v[1]);
        multiply_add(&mut sums[1][0], &b[0], &v[0]);
        multiply_add(&mut sums[1][1], &b[1], &v[1]);
        multiply_add(&mut sums[2][0], &c[0], &v[0]);
        multiply_add(&mut sums[2][1], &c[1], &v[1]);
        multiply_add(&mut sums[3][0], &d[0], &v[0]);
        multiply_add(&mut sums[3][1], &d[1], &v[1]);
    }
    settled(sums).map(|[a, b]| total(&add(&a, &b)))
}

/// Asks for a row that is about to be read from a random place. Changes nothing but the time it takes.
#[inline(always)]
pub(crate) fn prefetch(row: &[f32]) {
    row.chunks(16).for_each(crate::prefetch::prefetch);
}
