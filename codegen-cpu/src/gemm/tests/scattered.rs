//! Products along axes that are not one in memory, against sums of their terms. All are small integers, so that every order gives the same bits.

use half::bf16;
use rjax_ir::DType;
use rjax_kernel::kir::{BufferId, Gemm, GemmAxis, View};

use super::super::gemm;
use super::Numbers;

/// Axes of the left operand, of the right one and of the result, outermost first, and their extents.
const PRODUCTS: [(&str, &str, &str, &[(char, usize)]); 16] = [
    ("mkl", "lkn", "mn", &[('m', 5), ('k', 3), ('l', 7), ('n', 6)]),
    ("klm", "lkn", "mn", &[('m', 70), ('k', 16), ('l', 9), ('n', 40)]),
    ("mkl", "nlk", "mn", &[('m', 33), ('k', 8), ('l', 24), ('n', 65)]),
    ("kml", "lnk", "nm", &[('m', 20), ('k', 13), ('l', 5), ('n', 17)]),
    ("mjkl", "lkjn", "mn", &[('m', 31), ('j', 4), ('k', 6), ('l', 10), ('n', 64)]),
    ("bhqd", "hdm", "bqm", &[('b', 2), ('h', 4), ('q', 40), ('d', 16), ('m', 96)]),
    ("bkml", "blkn", "bmn", &[('b', 9), ('k', 4), ('m', 8), ('l', 8), ('n', 12)]),
    ("akbl", "clkd", "abcd", &[('a', 9), ('b', 10), ('c', 11), ('d', 12), ('k', 8), ('l', 8)]),
    ("akbl", "clkd", "dbca", &[('a', 9), ('b', 10), ('c', 11), ('d', 12), ('k', 8), ('l', 8)]),
    ("abk", "kcd", "acbd", &[('a', 14), ('b', 15), ('c', 16), ('d', 17), ('k', 40)]),
    ("mkl", "lk", "m", &[('m', 100), ('k', 6), ('l', 32)]),
    ("kl", "lkn", "n", &[('n', 100), ('k', 6), ('l', 32)]),
    ("mkl", "lkn", "mn", &[('m', 3), ('k', 30), ('l', 40), ('n', 200)]),
    ("kml", "lnk", "mn", &[('m', 300), ('k', 30), ('l', 20), ('n', 4)]),
    ("mkl", "lkn", "mn", &[('m', 130), ('k', 20), ('l', 30), ('n', 150)]),
    ("kl", "lk", "", &[('k', 20), ('l', 30)]),
];

struct Product {
    gemm: Gemm,
    /// Elements of both operands and of the result.
    sizes: [usize; 3],
}

impl Product {
    fn new([lhs, rhs, out]: [&str; 3], extents: &[(char, usize)], add: bool) -> Product {
        let extent = |name: char| extents.iter().find(|(other, _)| *other == name).expect("it has an extent").1;
        let size = |names: &str| names.chars().map(extent).product::<usize>();
        let stride = |names: &str, name: char| match names.find(name) {
            Some(at) => size(&names[at + 1..]) as isize,
            None => 0,
        };
        let axis = |name: char| GemmAxis {
            extent: extent(name),
            lhs: stride(lhs, name),
            rhs: stride(rhs, name),
            out: stride(out, name),
        };
        let with = |sides: [bool; 3]| -> Vec<GemmAxis> {
            let here = |name: &char| [lhs, rhs, out].map(|names| names.contains(*name)) == sides;
            extents.iter().map(|(name, _)| *name).filter(here).map(axis).collect()
        };
        let mut batch = with([true, true, true]);
        let mut longest = |mut axes: Vec<GemmAxis>| {
            let longest = (0..axes.len()).max_by_key(|&i| axes[i].extent);
            let axis = longest.map_or(GemmAxis { extent: 1, lhs: 0, rhs: 0, out: 0 }, |i| axes.remove(i));
            batch.append(&mut axes);
            axis
        };
        let (m, n) = (longest(with([true, false, true])), longest(with([false, true, true])));
        let mut outer_k = with([true, true, false]);
        let k = outer_k.pop().expect("an axis is summed");
        let view = || View::whole(BufferId(0));
        let (dtype, out_dtype) = (DType::F32, DType::F32);
        let gemm = Gemm { dtype, out_dtype, batch, m, n, k, outer_k, lhs: view(), rhs: view(), out: view(), add };
        Product { gemm, sizes: [size(lhs), size(rhs), size(out)] }
    }

    /// The sums of terms by definition, added to `out`.
    fn expected(&self, lhs: &[f64], rhs: &[f64], out: &mut [f64]) {
        let Gemm { batch, m, n, k, outer_k, .. } = &self.gemm;
        let axes: Vec<&GemmAxis> = batch.iter().chain([m, n]).chain(outer_k).chain([k]).collect();
        for mut flat in 0..axes.iter().map(|axis| axis.extent).product() {
            let mut at = [0isize; 3];
            for axis in &axes {
                let i = (flat % axis.extent) as isize;
                flat /= axis.extent;
                at = [at[0] + i * axis.lhs, at[1] + i * axis.rhs, at[2] + i * axis.out];
            }
            out[at[2] as usize] += lhs[at[0] as usize] * rhs[at[1] as usize];
        }
    }

    fn check<E: Copy, R: Copy>(
        &mut self,
        [dtype, out_dtype]: [DType; 2],
        element: fn(f64) -> E,
        result: fn(f64) -> R,
        to_f64: fn(R) -> f64,
    ) {
        let mut numbers = Numbers(7);
        let [lhs, rhs, out] = self.sizes.map(|size| (0..size).map(|_| numbers.next()).collect::<Vec<f64>>());
        let mut expected = if self.gemm.add { out.clone() } else { vec![0.0; out.len()] };
        self.expected(&lhs, &rhs, &mut expected);
        let [lhs, rhs] = [lhs, rhs].map(|x| x.into_iter().map(element).collect::<Vec<E>>());
        let mut found: Vec<R> = out.into_iter().map(result).collect();
        (self.gemm.dtype, self.gemm.out_dtype) = (dtype, out_dtype);
        // SAFETY: the arrays have all elements that the axes reach.
        unsafe { gemm(&self.gemm, lhs.as_ptr().cast(), rhs.as_ptr().cast(), found.as_mut_ptr().cast()) };
        let found: Vec<f64> = found.into_iter().map(to_f64).collect();
        assert!(found == expected, "{}", self.gemm);
    }
}

#[test]
fn axes_in_any_order() {
    for (lhs, rhs, out, extents) in PRODUCTS {
        for add in [false, true] {
            let mut product = Product::new([lhs, rhs, out], extents, add);
            product.check([DType::F32; 2], |x| x as f32, |x| x as f32, f64::from);
            product.check([DType::F64; 2], |x| x, |x| x, |x| x);
            product.check([DType::BF16, DType::F32], bf16::from_f64, |x| x as f32, f64::from);
        }
    }
}
