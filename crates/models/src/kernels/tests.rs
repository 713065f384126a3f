//! Each kernel against a slow reference, and its two compilations against each other, bit for bit.

use headwater_base::random::seeded;
use rand::Rng as _;

use super::lanes::{self, PADDING};
use super::product::{Rotation, add_gram, rotate_rows};
use super::{portable, quantised};

fn numbers(count: usize, stream: &str) -> Vec<f32> {
    let mut random = seeded(3, stream);
    (0..count).map(|_| (random.next_u32() as f32 / u32::MAX as f32 - 0.5) * 4.0).collect()
}

vectorised! {
    fn inner_product(a: &[f32], b: &[f32]) -> f32 {
        lanes::dot(a, b)
    }
}
vectorised! {
    fn four_products(rows: &[f32], vector: &[f32]) -> [f32; 4] {
        lanes::dot_four(rows, vector)
    }
}

#[test]
fn inner_products() {
    for width in [0, 16, 32, 48, 64, 112, 128] {
        let (rows, vector) = (numbers(4 * width, "rows"), numbers(width, "vector"));
        let four = four_products(&rows, &vector);
        assert_eq!(portable(|| four_products(&rows, &vector)), four);
        for (k, &product) in four.iter().enumerate() {
            let row = &rows[k * width..(k + 1) * width];
            let slow: f64 = row.iter().zip(&vector).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!((f64::from(product) - slow).abs() < 1e-4);
            let one = inner_product(row, &vector);
            assert_eq!(portable(|| inner_product(row, &vector)), one);
            assert!((f64::from(one) - slow).abs() < 1e-4);
        }
    }
}

#[test]
fn gram_matrices() {
    for (count, width) in [(0, 16), (1, 16), (47, 32), (48, 48), (131, 64)] {
        let rows = numbers(count * width, "gram");
        let mut gram = vec![1f32; width * width];
        add_gram(&mut gram, &rows, width);
        let mut twin = vec![1f32; width * width];
        portable(|| add_gram(&mut twin, &rows, width));
        assert_eq!(twin, gram);
        for i in 0..width {
            for j in i..width {
                let slow: f64 =
                    rows.chunks_exact(width).map(|row| f64::from(row[i]) * f64::from(row[j])).sum();
                assert!((f64::from(gram[i * width + j]) - 1.0 - slow).abs() < 1e-3);
            }
        }
    }
}

#[test]
fn rotations() {
    for (count, factors) in [(1, 3), (4, 16), (7, 20), (10, 64)] {
        let width = usize::next_multiple_of(factors, PADDING);
        let mut rows = numbers(count * width, "turned");
        for row in rows.chunks_exact_mut(width) {
            row[factors..].fill(0.0);
        }
        let vectors: Vec<f64> = numbers(factors * factors, "vectors").into_iter().map(f64::from).collect();
        let rotation = Rotation::new(&vectors, factors, width);
        let (mut turned, mut twin) = (rows.clone(), rows.clone());
        rotate_rows(&rotation, &mut turned);
        portable(|| rotate_rows(&rotation, &mut twin));
        assert_eq!(twin, turned);
        for (row, turned) in rows.chunks_exact(width).zip(turned.chunks_exact(width)) {
            for (k, vector) in vectors.chunks_exact(factors).enumerate() {
                let slow: f64 = row.iter().zip(vector).map(|(a, b)| f64::from(*a) * b).sum();
                assert!((f64::from(turned[k]) - slow).abs() < 1e-4);
            }
            assert!(turned[factors..].iter().all(|x| *x == 0.0));
        }
    }
}

#[test]
fn quantised_scans() {
    for (rows, width) in [(0, 16), (1, 16), (3, 32), (4, 48), (9, 128), (6, 4096)] {
        let mut random = seeded(5, "codes");
        let mut codes: Vec<i8> = (0..rows * width).map(|_| (random.next_u32() as i8).max(-127)).collect();
        // The largest sums that the caller's bound lets through.
        let most = (i32::MAX / 127 / width as i32 - 1).min(32_767) as i16;
        let query: Vec<i16> = (0..width).map(|k| if k % 2 == 0 { most } else { -most }).collect();
        for (k, code) in codes.iter_mut().take(width).enumerate() {
            *code = if k % 2 == 0 { 127 } else { -127 };
        }
        let mut products = vec![0; rows];
        quantised::scan(&codes, &query, &mut products);
        let mut twin = vec![0; rows];
        portable(|| quantised::scan(&codes, &query, &mut twin));
        assert_eq!(twin, products);
        let slow =
            |row: &[i8]| -> i64 { row.iter().zip(&query).map(|(&c, &q)| i64::from(c) * i64::from(q)).sum() };
        let expected: Vec<i64> = codes.chunks_exact(width).map(slow).collect();
        assert_eq!(products.iter().map(|&p| i64::from(p)).collect::<Vec<_>>(), expected);
    }
}
