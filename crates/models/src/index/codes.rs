//! Rows as int8 codes, with what each row needs for an upper bound of its score.

use crate::kernels::lanes::PADDING;
use crate::kernels::quantised::{self, CODES};
use crate::kernels::vectorised;

/// Any number of rows, quantised. Row `y` is stored as codes `c` with `y = scale * c + residual`.
#[derive(Clone, Debug, Default)]
pub(super) struct Codes {
    codes: Vec<i8>,
    /// Step of the codes, per row.
    scales: Vec<f32>,
    /// |residual| plus what rounding may add to an exact score of a query of length 1, rounded up, per row.
    slacks: Vec<f32>,
    /// |scale * c|, rounded up, per row.
    norms: Vec<f32>,
}

/// A query as the scan wants it.
#[derive(Clone, Debug)]
pub(super) struct QuantisedQuery {
    /// The query in f32, padded as the rows are.
    pub(super) exact: Vec<f32>,
    codes: Vec<i16>,
    /// Step of the codes.
    scale: f32,
    /// |q|, rounded up.
    pub(super) norm: f32,
    /// |q - scale * codes|, rounded up.
    residual: f32,
}

/// Rounds a bound up on its way to f32: by more than a unit in the last place, and off the subnormal numbers.
fn up(bound: f64) -> f32 {
    (bound * (1.0 + 1e-6)) as f32 + f32::MIN_POSITIVE
}

impl QuantisedQuery {
    pub(super) fn new(query: &[f32]) -> Self {
        let mut exact = query.to_vec();
        exact.resize(query.len().next_multiple_of(PADDING), 0.0);
        let largest = query.iter().fold(0f64, |most, q| most.max(f64::from(q.abs())));
        let total: f64 = query.iter().map(|q| f64::from(q.abs())).sum();
        // Codes of 15 bits, unless 127 * sum |code| could then leave 32 bits: each code rounds up by at most 1/2.
        let budget = f64::from(i32::MAX) / 127.0 - query.len() as f64;
        let step = (largest / 32_767.0).max(total / budget);
        let scale = step as f32;
        let inverse = if scale.is_normal() { 1.0 / f64::from(scale) } else { 0.0 };
        let mut codes: Vec<i16> = query.iter().map(|&q| (f64::from(q) * inverse).round() as i16).collect();
        let rounding = query.iter().zip(&codes);
        let residual: f64 =
            rounding.map(|(&q, &c)| (f64::from(q) - f64::from(scale) * f64::from(c)).powi(2)).sum();
        codes.resize(query.len().next_multiple_of(CODES), 0);
        let norm: f64 = query.iter().map(|&q| f64::from(q).powi(2)).sum();
        Self { exact, codes, scale, norm: up(norm.sqrt()), residual: up(residual.sqrt()) }
    }
}

impl Codes {
    /// With room for `rows` rows of `dimensions` numbers.
    pub(super) fn with_capacity(rows: usize, dimensions: usize) -> Self {
        Self {
            codes: Vec::with_capacity(rows * dimensions.next_multiple_of(CODES)),
            scales: Vec::with_capacity(rows),
            slacks: Vec::with_capacity(rows),
            norms: Vec::with_capacity(rows),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.scales.len()
    }

    /// Bytes of all rows.
    pub(super) fn bytes(&self) -> usize {
        self.codes.len() + 3 * size_of::<f32>() * self.scales.len()
    }

    /// Appends a row of finite numbers.
    pub(super) fn push(&mut self, row: &[f32]) {
        let largest = row.iter().fold(0f32, |most, y| most.max(y.abs()));
        let scale = largest / 127.0;
        // A row too small for a normal step is all residual.
        let scale = if scale.is_normal() { scale } else { 0.0 };
        let inverse = if scale > 0.0 { 1.0 / f64::from(scale) } else { 0.0 };
        let (mut residual, mut quantised, mut norm) = (0f64, 0f64, 0f64);
        for &y in row {
            let y = f64::from(y);
            let code = (y * inverse).round().clamp(-127.0, 127.0);
            let kept = f64::from(scale) * code;
            residual += (y - kept).powi(2);
            quantised += kept.powi(2);
            norm += y.powi(2);
            self.codes.push(code as i8);
        }
        // An f32 inner product of d terms is within d * 2^-24 * |q| |y| of the truth (Higham 2002, 3.1), the bounds'
        // own arithmetic within a few units more; both are doubled.
        let rounding = (row.len() + 16) as f64 * f64::from(f32::EPSILON);
        self.scales.push(scale);
        self.slacks.push(up(residual.sqrt() + rounding * norm.sqrt()));
        self.norms.push(up(quantised.sqrt()));
        self.codes.resize(self.scales.len() * row.len().next_multiple_of(CODES), 0);
    }

    /// Writes an upper bound of each row's exact score to `bounds`; `products` is scratch of the same length.
    pub(super) fn bounds(&self, query: &QuantisedQuery, products: &mut [i32], bounds: &mut [f32]) {
        quantised::scan(&self.codes, &query.codes, products);
        widen(self, query, products, bounds);
    }
}

vectorised! {
    /// `q.y = Q.Y + (q - Q).Y + q.(y - Y)`, and the last two are at most `|q - Q| |Y|` and `|q| |y - Y|`.
    fn widen(rows: &Codes, query: &QuantisedQuery, products: &[i32], bounds: &mut [f32]) {
        let rows = rows.scales.iter().zip(&rows.slacks).zip(&rows.norms);
        for (((&scale, &slack), &norm), (&product, bound)) in rows.zip(products.iter().zip(bounds)) {
            // In this order nothing but the result can leave the normal range; what it loses there the guard covers.
            let approximate = product as f32 * scale * query.scale;
            *bound = approximate + (query.norm * slack + query.residual * norm) + f32::MIN_POSITIVE;
        }
    }
}
