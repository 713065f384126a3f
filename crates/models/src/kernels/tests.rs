//! Each kernel against a slow reference, and its two compilations against each other, bit for bit.

use headwater_base::random::seeded;
use rand::Rng as _;

use super::lanes::{self, PADDING, pairs};
use super::nearest::{Centres, nearest};
use super::product::{Rotation, add_gram, rotate_rows, subtract_products};
use super::sparse::{add_products, combine_lanes, combine_rows};
use super::{portable, quantised};
use crate::matrix::Csr;

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

#[test]
fn sparse_times_dense() {
    let entries =
        (0..30u32).flat_map(|row| (0..row % 9).map(move |k| (row, (row * 5 + k * 7) % 40, 0.5 + k as f32)));
    let matrix = Csr::from_pairs(30, 40, entries).unwrap();
    for width in [16, 48] {
        let dense = numbers(40 * width, "dense");
        for row in matrix.iter() {
            let mut sum = vec![7f32; width];
            combine_rows(&mut sum, row, &dense);
            let mut twin = vec![7f32; width];
            portable(|| combine_rows(&mut twin, row, &dense));
            assert_eq!(twin, sum);
            for (k, sum) in sum.iter().enumerate() {
                let slow: f64 =
                    row.iter().map(|(c, w)| f64::from(w) * f64::from(dense[c as usize * width + k])).sum();
                assert!((f64::from(*sum) - slow).abs() < 1e-3);
            }
        }
    }
    let columns = pairs(&numbers(40 * 16, "columns")).to_vec();
    let mut sums = vec![[[7f32; 8]; 2]; 20];
    combine_lanes(&mut sums, 10, &matrix, &columns);
    let mut twin = sums.clone();
    portable(|| combine_lanes(&mut twin, 10, &matrix, &columns));
    assert_eq!(twin, sums);
    for (offset, sum) in sums.iter().enumerate() {
        for lane in 0..16 {
            let at = |column: u32| columns[column as usize][lane / 8][lane % 8];
            let slow: f64 =
                matrix.row(10 + offset).iter().map(|(c, w)| f64::from(w) * f64::from(at(c))).sum();
            assert!((f64::from(sum[lane / 8][lane % 8]) - slow).abs() < 1e-3);
        }
    }
}

#[test]
fn products_with_a_panel() {
    for (count, depth) in [(1, 16), (4, 32), (7, 48)] {
        let rows = numbers(count * depth, "left");
        let panel = pairs(&numbers(depth * 16, "panel")).to_vec();
        let product = |row: usize, lane: usize| -> f64 {
            let terms = (0..depth)
                .map(|k| f64::from(rows[row * depth + k]) * f64::from(panel[k][lane / 8][lane % 8]));
            terms.sum()
        };
        let scales = numbers(count, "scales");
        let mut sums = vec![[[1f32; 8]; 2]; count];
        let mut twin = sums.clone();
        add_products(&mut sums, &rows, &scales, &panel);
        portable(|| add_products(&mut twin, &rows, &scales, &panel));
        assert_eq!(twin, sums);
        let width = 32;
        let mut target = vec![1f32; count * width];
        let mut twin = target.clone();
        subtract_products(&mut target, width, 1, &rows, &panel);
        portable(|| subtract_products(&mut twin, width, 1, &rows, &panel));
        assert_eq!(twin, target);
        for row in 0..count {
            for lane in 0..16 {
                let slow = product(row, lane);
                let added = f64::from(sums[row][lane / 8][lane % 8]);
                assert!((added - 1.0 - f64::from(scales[row]) * slow).abs() < 1e-3);
                assert!((f64::from(target[row * width + 16 + lane]) - 1.0 + slow).abs() < 1e-3);
                assert_eq!(target[row * width + lane], 1.0, "another panel");
            }
        }
    }
}

#[test]
fn nearest_centres() {
    for (count, rows, width) in [(1, 1, 16), (15, 7, 16), (33, 50, 48), (64, 8, 64)] {
        let (centres, rows) = (numbers(count * width, "centres"), numbers(rows * width, "rows"));
        let laid_out = Centres::new(&centres, width);
        let mut found = vec![u32::MAX; rows.len() / width];
        nearest(&laid_out, &rows, &mut found);
        let mut twin = vec![u32::MAX; rows.len() / width];
        portable(|| nearest(&laid_out, &rows, &mut twin));
        assert_eq!(twin, found);
        for (row, &found) in rows.chunks_exact(width).zip(&found) {
            let distance = |c: &[f32]| c.iter().zip(row).map(|(c, y)| f64::from(c - y).powi(2)).sum::<f64>();
            let least = centres.chunks_exact(width).map(distance).fold(f64::INFINITY, f64::min);
            assert!(distance(&centres[found as usize * width..][..width]) < least + 1e-3);
        }
    }
}
