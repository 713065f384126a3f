//! The least-squares problem of one row, in the basis where the implicit term is diagonal.
//!
//! With `D = alpha0 L + lambda_u` (diagonal, see the module above), observed vectors `y_k` and weights `w_k`, row u
//! solves `(D + sum w_k y_k y_k') x = sum w_k y_k`. Put `x = D^(-1/2) v` and stack `z_k = sqrt(w_k) D^(-1/2) y_k` as
//! the rows of `Z`; with `r_k = sqrt(w_k)` the system becomes
//!
//! ```text
//! (1 + Z'Z) v = Z'r
//! ```
//!
//! which is what plain conjugate gradient on `v` sees as the original system preconditioned by `D`. The rows of `Z`
//! are gathered once into one contiguous buffer and stay in the first cache. Exactly, there are two ways: factorise
//! `1 + Z'Z` (d x d), or, since `(1 + Z'Z)^-1 Z' = Z'(1 + ZZ')^-1`, solve `(1 + ZZ') s = r` (n x n) and take
//! `v = Z's`, which is the cheaper the shorter the history.

use std::cell::RefCell;

use crate::dense::cholesky;
use crate::kernels::lanes::{Lanes, PADDING, blocks, blocks_mut, dot, dot_four, scale_add};
use crate::kernels::product::add_gram;
use crate::kernels::vectorised;

/// The buffers of one thread, reused from row to row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    /// Observed rows, scaled (`Z`), row-major, padded with rows of zeros to a multiple of four.
    rows: Vec<f32>,
    /// Square roots of the weights (`r`), padded likewise.
    roots: Vec<f32>,
    /// `D^(-1/2)`; zero in the padding of the vectors.
    scale: Vec<f32>,
    /// Inner products of the observed rows with a vector.
    products: Vec<f32>,
    residual: Vec<f32>,
    direction: Vec<f32>,
    /// `Z'Z` times the direction.
    image: Vec<f32>,
    matrix: Vec<f32>,
    observed: usize,
}

/// What one row is solved against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side<'a> {
    /// Numbers per vector, a multiple of sixteen.
    pub width: usize,
    /// Those of them that are factors; the others are zero.
    pub factors: usize,
    /// `alpha0` times the diagonal of the Gram matrix of the vectors, one per factor.
    pub implicit: &'a [f32],
}

impl Workspace {
    /// Starts a problem with regularisation `lambda` and `observed` observations, each then given by
    /// [`Workspace::observe`].
    #[inline(always)]
    pub(crate) fn begin(&mut self, side: &Side<'_>, lambda: f32, observed: usize) {
        self.scale.clear();
        self.scale.resize(side.width, 0.0);
        for (scale, implicit) in self.scale.iter_mut().zip(side.implicit) {
            *scale = 1.0 / (implicit + lambda).sqrt();
        }
        self.observed = observed;
        let padded = observed.next_multiple_of(4);
        // Every observed row is overwritten; only the padding has to be cleared.
        self.rows.resize(padded * side.width, 0.0);
        self.rows[observed * side.width..].fill(0.0);
        self.roots.clear();
        self.roots.resize(padded, 0.0);
        self.products.clear();
        self.products.resize(padded, 0.0);
    }

    /// Sets observation `number`: a vector with its weight.
    #[inline(always)]
    pub(crate) fn observe(&mut self, number: usize, vector: &[f32], weight: f32) {
        let root = weight.sqrt();
        self.roots[number] = root;
        let width = self.scale.len();
        let target = &mut self.rows[number * width..(number + 1) * width];
        for ((target, y), scale) in blocks_mut(target).iter_mut().zip(blocks(vector)).zip(blocks(&self.scale))
        {
            for lane in 0..8 {
                target[lane] = y[lane] * (scale[lane] * root);
            }
        }
    }

    /// Solves by `steps` of conjugate gradient, from `x`.
    #[inline(always)]
    pub(crate) fn conjugate_gradient(&mut self, side: &Side<'_>, steps: usize, x: &mut [f32]) {
        let width = side.width;
        let Self { rows, roots, scale, products, residual, direction, image, .. } = self;
        // v = D^(1/2) x; the padding stays zero.
        for (x, scale) in x.iter_mut().zip(&*scale).take(side.factors) {
            *x /= scale;
        }
        residual.clear();
        residual.resize(width, 0.0);
        image.clear();
        image.resize(width, 0.0);
        // residual = Z'r - (1 + Z'Z) v = Z'(r - Zv) - v
        multiply(rows, x, products);
        for (product, root) in products.iter_mut().zip(&*roots) {
            *product = root - *product;
        }
        combine(rows, products, residual);
        for (r, v) in residual.iter_mut().zip(&*x) {
            *r -= v;
        }
        direction.clear();
        direction.extend_from_slice(residual);
        let mut size = dot(residual, residual);
        let mut direction_size = size;
        for step in 1..=steps {
            // The curvature p'(1 + Z'Z)p = p'p + |Zp|^2 is known before Z'Zp is, which the last step never needs.
            multiply(rows, direction, products);
            let curvature = direction_size + sum_of_squares(products);
            if !(size > 0.0 && curvature > 0.0) {
                break;
            }
            let length = size / curvature;
            for (x, p) in blocks_mut(x).iter_mut().zip(blocks(direction)) {
                scale_add(x, length, p);
            }
            if step == steps {
                break;
            }
            combine(rows, products, image);
            for ((r, p), image) in residual.iter_mut().zip(&*direction).zip(&*image) {
                *r -= length * (p + image);
            }
            let previous = size;
            size = dot(residual, residual);
            let keep = size / previous;
            for (p, r) in blocks_mut(direction).iter_mut().zip(blocks(residual)) {
                for lane in 0..8 {
                    p[lane] = keep.mul_add(p[lane], r[lane]);
                }
            }
            direction_size = dot(direction, direction);
        }
        self.unscale(x);
    }

    /// Improves `x` block by block of `size` factors, each solved exactly while the others stay.
    ///
    /// With `e = r - Zv` kept current, block B moves by `(1 + Z_B'Z_B)^-1 (Z_B'e - v_B)`: a sweep of block Gauss-Seidel on
    /// the system above, so the objective never rises.
    #[inline(always)]
    pub(crate) fn sweep(&mut self, side: &Side<'_>, size: usize, x: &mut [f32]) {
        let width = side.width;
        let Self { rows, roots, scale, products, direction, matrix, .. } = self;
        for (x, scale) in x.iter_mut().zip(&*scale).take(side.factors) {
            *x /= scale;
        }
        multiply(rows, x, products);
        for (error, root) in products.iter_mut().zip(&*roots) {
            *error = root - *error;
        }
        for first in (0..width).step_by(size) {
            let size = size.min(width - first);
            let block = first..first + size;
            matrix.clear();
            matrix.resize(size * size, 0.0);
            direction.clear();
            direction.extend(x[block.clone()].iter().map(|v| -v));
            // Only what lies right of the diagonal is read; tiles of 8 x 8 stay in registers over all rows.
            for left in (0..size).step_by(8) {
                for right in (left..size).step_by(8) {
                    let tile = tile_gram(rows, width, first + left, first + right);
                    for (row, lanes) in tile.iter().enumerate() {
                        matrix[(left + row) * size + right..][..8].copy_from_slice(lanes);
                    }
                }
            }
            for (number, target) in blocks_mut(direction).iter_mut().enumerate() {
                let mut sum = *target;
                for (row, error) in rows.chunks_exact(width).zip(&*products) {
                    scale_add(&mut sum, *error, &blocks(row)[first / 8 + number]);
                }
                *target = sum;
            }
            for k in 0..size {
                matrix[k * size + k] += 1.0;
            }
            cholesky::solve(matrix, direction, size, size);
            for (v, step) in x[block.clone()].iter_mut().zip(&*direction) {
                *v += step;
            }
            for (row, error) in rows.chunks_exact(width).zip(products.iter_mut()) {
                *error -= dot(&row[block.clone()], direction);
            }
        }
        self.unscale(x);
    }

    /// Solves exactly.
    #[inline(always)]
    pub(crate) fn exact(&mut self, side: &Side<'_>, x: &mut [f32]) {
        // The n x n system costs about n^2 d/2 + n^3/6 products, the d x d one n d^2/2 + d^3/6.
        if self.observed <= side.width {
            self.dual(side.width, x);
        } else {
            self.primal(side, x);
        }
        self.unscale(x);
    }

    /// Through the n x n system of the observations.
    #[inline(always)]
    fn dual(&mut self, width: usize, x: &mut [f32]) {
        let size = self.observed;
        let stride = size.next_multiple_of(8);
        let Self { rows, roots, products, matrix, .. } = self;
        matrix.clear();
        matrix.resize(size * stride, 0.0);
        for first in 0..size {
            let row = &rows[first * width..(first + 1) * width];
            // Groups of four start left of the diagonal; what they write there is never read.
            for group in first / 4..size.div_ceil(4) {
                let four = dot_four(&rows[group * 4 * width..(group + 1) * 4 * width], row);
                matrix[first * stride + group * 4..][..4].copy_from_slice(&four);
            }
            matrix[first * stride + first] += 1.0;
        }
        products.clear();
        products.extend_from_slice(roots);
        products.resize(stride, 0.0);
        cholesky::solve(matrix, products, size, stride);
        combine(rows, products, x);
    }

    /// Through the d x d system of the factors.
    #[inline(always)]
    fn primal(&mut self, side: &Side<'_>, x: &mut [f32]) {
        let width = side.width;
        let Self { rows, roots, matrix, .. } = self;
        matrix.clear();
        matrix.resize(width * width, 0.0);
        add_gram(matrix, rows, width);
        for k in 0..width {
            matrix[k * width + k] += 1.0;
        }
        combine(rows, roots, x);
        cholesky::solve(matrix, x, side.factors, width);
    }

    /// `x = D^(-1/2) v`.
    #[inline(always)]
    fn unscale(&self, x: &mut [f32]) {
        for (x, scale) in x.iter_mut().zip(&self.scale) {
            *x *= scale;
        }
    }
}

/// `products = Z vector`, for whole groups of four rows.
#[inline(always)]
fn multiply(rows: &[f32], vector: &[f32], products: &mut [f32]) {
    let width = vector.len();
    for (four, products) in rows.chunks_exact(4 * width).zip(products.as_chunks_mut::<4>().0) {
        *products = dot_four(four, vector);
    }
}

/// `sum = Z' factors`: eight blocks of it at a time stay in registers over all rows.
#[inline(always)]
fn combine(rows: &[f32], factors: &[f32], sum: &mut [f32]) {
    let width = sum.len();
    let mut first = 0;
    for blocks in blocks_mut(sum).chunks_mut(8) {
        match <&mut [Lanes; 8]>::try_from(&mut *blocks) {
            Ok(eight) => combine_blocks(rows, factors, width, first, eight),
            Err(_) => {
                // Widths are multiples of sixteen: what is left comes in pairs.
                for (k, two) in blocks.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                    combine_blocks(rows, factors, width, first + 2 * k, two);
                }
            }
        }
        first += 8;
    }
}

#[inline(always)]
fn combine_blocks<const N: usize>(
    rows: &[f32],
    factors: &[f32],
    width: usize,
    first: usize,
    target: &mut [Lanes; N],
) {
    let mut sums = [[0f32; 8]; N];
    for (row, &factor) in rows.chunks_exact(width).zip(factors) {
        if let Some(row) = blocks(row)[first..].first_chunk::<N>() {
            for k in 0..N {
                scale_add(&mut sums[k], factor, &row[k]);
            }
        }
    }
    *target = sums;
}

/// Eight rows and eight columns of `Z'Z`.
#[inline(always)]
fn tile_gram(rows: &[f32], width: usize, left: usize, right: usize) -> [Lanes; 8] {
    let mut tile = [[0f32; 8]; 8];
    for row in rows.chunks_exact(width) {
        let row = blocks(row);
        let (left, right) = (row[left / 8], &row[right / 8]);
        for k in 0..8 {
            scale_add(&mut tile[k], left[k], right);
        }
    }
    tile
}

#[inline(always)]
fn sum_of_squares(products: &[f32]) -> f32 {
    let mut sums = [0f32; 4];
    for four in products.as_chunks::<4>().0 {
        for lane in 0..4 {
            sums[lane] = four[lane].mul_add(four[lane], sums[lane]);
        }
    }
    (sums[0] + sums[2]) + (sums[1] + sums[3])
}

thread_local! {
    /// What fold-ins of this thread work in.
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// Solves one row exactly from its observed vectors, padded, with their weights.
pub(crate) fn solve_exactly(side: &Side<'_>, lambda: f32, observed: &[(&[f32], f32)], x: &mut [f32]) {
    let mut workspace = WORKSPACE.take();
    solve_within(&mut workspace, side, lambda, observed, x);
    WORKSPACE.set(workspace);
}

vectorised! {
    fn solve_within(
        workspace: &mut Workspace,
        side: &Side<'_>,
        lambda: f32,
        observed: &[(&[f32], f32)],
        x: &mut [f32],
    ) {
        workspace.begin(side, lambda, observed.len());
        for (number, (vector, weight)) in observed.iter().enumerate() {
            workspace.observe(number, vector, *weight);
        }
        workspace.exact(side, x);
    }
}

/// Solves `(alpha0 G + lambda + sum w x x') y = sum w x` for an item, where the users' Gram matrix `gram` (factors x
/// factors) is not diagonal.
pub(crate) fn solve_item<'a>(
    gram: &[f32],
    alpha0: f32,
    lambda: f32,
    users: impl Iterator<Item = &'a (&'a [f32], f32)>,
    factors: usize,
) -> Vec<f32> {
    let width = factors.next_multiple_of(PADDING);
    let mut matrix = vec![0.0; width * width];
    for (k, (target, row)) in matrix.chunks_exact_mut(width).zip(gram.chunks_exact(factors)).enumerate() {
        for (target, g) in target.iter_mut().zip(row) {
            *target = alpha0 * g;
        }
        target[k] += lambda;
    }
    let (mut rows, mut sum) = (Vec::new(), vec![0.0; width]);
    for (user, weight) in users {
        let root = weight.sqrt();
        for (sum, x) in sum.iter_mut().zip(*user) {
            *sum += weight * x;
        }
        rows.extend(user.iter().map(|x| x * root));
        rows.resize(rows.len().next_multiple_of(width), 0.0);
    }
    add_gram(&mut matrix, &rows, width);
    solve_in_place(&mut matrix, &mut sum, factors, width);
    sum.truncate(factors);
    sum
}

vectorised! {
    fn solve_in_place(matrix: &mut [f32], b: &mut [f32], size: usize, width: usize) {
        cholesky::solve(matrix, b, size, width);
    }
}
