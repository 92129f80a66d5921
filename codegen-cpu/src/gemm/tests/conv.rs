//! Convolutions against a plain loop: random windows, gaps, groups and layouts.

use super::super::conv::{conv, conv_with};
use super::*;
use rjax_kernel::kir::ConvAxis;

/// Extents of one convolution and the order of its arrays' axes in memory.
struct Case {
    batch: usize,
    groups: usize,
    inputs: usize,
    outputs: usize,
    spatial: Vec<ConvAxis>,
    /// Whether features come after the spatial axes.
    features_last: bool,
    /// Whether groups are of images.
    groups_of_images: bool,
}

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        (self.next() + 8.0) as usize % limit
    }

    fn pick(&mut self, choices: &[usize]) -> usize {
        choices[self.below(choices.len())]
    }
}

fn random(numbers: &mut Numbers) -> Case {
    let rank = numbers.below(4);
    let mut spatial = vec![];
    for _ in 0..rank {
        loop {
            let axis = ConvAxis {
                extent: 0,
                window: numbers.pick(&[1, 2, 3, 3, 5]),
                lhs_extent: numbers.pick(&[1, 4, 7, 9, 12]) + if rank == 1 { numbers.pick(&[0, 20, 40]) } else { 0 },
                stride: numbers.pick(&[1, 1, 1, 2, 3]),
                dilation: numbers.pick(&[1, 1, 2, 3]),
                base_dilation: numbers.pick(&[1, 1, 1, 2, 3]),
                low: numbers.pick(&[0, 0, 1, 2, 3]) as i64 - numbers.pick(&[0, 0, 0, 1]) as i64,
                lhs: 0,
                rhs: 0,
                out: 0,
            };
            let high = numbers.pick(&[0, 0, 1, 2]) as i64;
            let dilated = ((axis.lhs_extent - 1) * axis.base_dilation + 1) as i64 + axis.low + high;
            let last = dilated - ((axis.window - 1) * axis.dilation + 1) as i64;
            if last >= 0 {
                spatial.push(ConvAxis { extent: last as usize / axis.stride + 1, ..axis });
                break;
            }
        }
    }
    Case {
        batch: numbers.pick(&[1, 2, 3]),
        groups: numbers.pick(&[1, 1, 1, 2, 5]),
        inputs: numbers.pick(&[1, 1, 2, 3, 16]),
        outputs: numbers.pick(&[1, 1, 3, 17, 32]),
        spatial,
        features_last: numbers.below(2) == 0,
        groups_of_images: numbers.below(3) == 0,
    }
}

/// Lays out an array of these extents, outermost first: the strides, and how many elements there are.
fn layout(extents: &[usize]) -> (Vec<isize>, usize) {
    let (mut strides, mut size) = (vec![0; extents.len()], 1);
    for (stride, &extent) in strides.iter_mut().zip(extents).rev() {
        *stride = size as isize;
        size *= extent;
    }
    (strides, size)
}

/// The convolution and the sizes of its arrays.
fn describe(case: &Case, dtype: DType, out_dtype: DType) -> (kir::Conv, [usize; 3]) {
    // In the order image, feature, spatial: extents to strides.
    let strides = |images: usize, features: usize, spatial: Vec<usize>| {
        let rank = spatial.len();
        if case.features_last {
            let (strides, size) = layout(&[vec![images], spatial, vec![features]].concat());
            (strides[0], strides[rank + 1], strides[1..=rank].to_vec(), size)
        } else {
            let (strides, size) = layout(&[vec![images, features], spatial].concat());
            (strides[0], strides[1], strides[2..].to_vec(), size)
        }
    };
    let (image_groups, feature_groups) = if case.groups_of_images { (case.groups, 1) } else { (1, case.groups) };
    let spatial = |extent: fn(&ConvAxis) -> usize| case.spatial.iter().map(extent).collect();
    let (l_image, l_feature, l_spatial, l_size) =
        strides(case.batch * image_groups, case.inputs * feature_groups, spatial(|a| a.lhs_extent));
    let (o_image, o_feature, o_spatial, o_size) =
        strides(case.batch, case.outputs * case.groups, spatial(|a| a.extent));
    let windows: Vec<usize> = spatial(|a| a.window);
    let (r_strides, r_size) = if case.features_last {
        layout(&[windows, vec![case.inputs, case.outputs * case.groups]].concat())
    } else {
        layout(&[vec![case.outputs * case.groups, case.inputs], windows].concat())
    };
    let rank = case.spatial.len();
    let (r_output, r_input, r_spatial) = if case.features_last {
        (r_strides[rank + 1], r_strides[rank], &r_strides[..rank])
    } else {
        (r_strides[0], r_strides[1], &r_strides[2..])
    };
    let axis = |extent: usize, lhs: isize, rhs: isize, out: isize| kir::GemmAxis { extent, lhs, rhs, out };
    let outputs = case.outputs as isize;
    let group = if case.groups_of_images { l_image * case.batch as isize } else { l_feature * case.inputs as isize };
    let spatial = case.spatial.iter().enumerate().map(|(i, axis)| ConvAxis {
        lhs: l_spatial[i],
        rhs: r_spatial[i],
        out: o_spatial[i],
        ..*axis
    });
    let view = || kir::View::whole(kir::BufferId(0));
    let conv = kir::Conv {
        dtype,
        out_dtype,
        batch: axis(case.batch, l_image, 0, o_image),
        group: axis(case.groups, group, r_output * outputs, o_feature * outputs),
        input: axis(case.inputs, l_feature, r_input, 0),
        output: axis(case.outputs, 0, r_output, o_feature),
        spatial: spatial.collect(),
        lhs: view(),
        rhs: view(),
        out: view(),
    };
    (conv, [l_size, r_size, o_size])
}

/// Every index of a box.
fn points(extents: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let extents = extents.to_vec();
    (0..extents.iter().product()).map(move |mut flat: usize| {
        let mut at = vec![0; extents.len()];
        for (i, extent) in extents.iter().enumerate().rev() {
            at[i] = flat % extent;
            flat /= extent;
        }
        at
    })
}

fn plain(conv: &kir::Conv, lhs: &[f64], rhs: &[f64], out: &mut [f64]) {
    let outer: Vec<usize> = [conv.batch.extent, conv.group.extent, conv.output.extent]
        .into_iter()
        .chain(conv.spatial.iter().map(|axis| axis.extent))
        .collect();
    let inner: Vec<usize> = conv.spatial.iter().map(|axis| axis.window).chain([conv.input.extent]).collect();
    for cell in points(&outer) {
        let along = |axes: [(usize, isize); 3]| axes.iter().map(|&(i, stride)| i as isize * stride).sum::<isize>();
        let l0 = along([(cell[0], conv.batch.lhs), (cell[1], conv.group.lhs), (0, 0)]);
        let r0 = along([(cell[1], conv.group.rhs), (cell[2], conv.output.rhs), (0, 0)]);
        let mut o = along([(cell[0], conv.batch.out), (cell[1], conv.group.out), (cell[2], conv.output.out)]);
        for (axis, &s) in conv.spatial.iter().zip(&cell[3..]) {
            o += s as isize * axis.out;
        }
        let mut total = 0.0;
        'terms: for term in points(&inner) {
            let i = term[conv.spatial.len()] as isize;
            let (mut l, mut r) = (l0 + i * conv.input.lhs, r0 + i * conv.input.rhs);
            for ((axis, &s), &w) in conv.spatial.iter().zip(&cell[3..]).zip(&term) {
                let place = (s * axis.stride + w * axis.dilation) as i64 - axis.low;
                let base = axis.base_dilation as i64;
                if place < 0 || place % base != 0 || place / base >= axis.lhs_extent as i64 {
                    continue 'terms;
                }
                l += (place / base) as isize * axis.lhs;
                r += w as isize * axis.rhs;
            }
            total += lhs[l as usize] * rhs[r as usize];
        }
        out[o as usize] = total;
    }
}

#[allow(clippy::eq_op)]
fn is_nan<T: Real + PartialEq, E: Element<T>>(x: E) -> bool {
    let x = x.computed();
    x != x
}

/// Runs a case with elements of `E`, between guards.
fn check<T: Real + PartialEq + Element<T>, E: Element<T>>(
    case: &Case,
    kernels: Option<&Kernels<T>>,
    dtype: DType,
    from_f64: fn(f64) -> T,
    special: bool,
) {
    let (described, [l, r, o]) = describe(case, dtype, dtype);
    let mut numbers = Numbers(l as u64);
    let guard = 64;
    let mut values = |count: usize| -> Vec<f64> { (0..count + 2 * guard).map(|_| numbers.next()).collect() };
    let (lhs, mut rhs, out) = (values(l), values(r), values(o));
    if special {
        // What is outside takes no part, not even as 0 times infinity.
        rhs[guard] = f64::INFINITY;
    }
    let typed = |x: &[f64]| -> Vec<E> { x.iter().map(|&x| E::from_computed(from_f64(x))).collect() };
    let mut expected = out.clone();
    plain(&described, &lhs[guard..], &rhs[guard..], &mut expected[guard..]);
    let (lhs, rhs, mut found) = (typed(&lhs), typed(&rhs), typed(&out));
    let (x, y) = (lhs[guard..].as_ptr().cast(), rhs[guard..].as_ptr().cast());
    let z = found[guard..].as_mut_ptr().cast();
    // SAFETY: the arrays have the sizes described.
    unsafe {
        match kernels {
            Some(kernels) => conv_with::<T, E, E>(kernels, &described, x, y, z),
            None => conv(&described, x, y, z),
        }
    }
    let bytes = |x: &[E]| -> Vec<u8> {
        // SAFETY: numbers are plain memory.
        unsafe { std::slice::from_raw_parts(x.as_ptr().cast::<u8>(), size_of_val(x)).to_vec() }
    };
    if special {
        // NaN has many bits.
        let same = |x: &E, y: &E| bytes(&[*x]) == bytes(&[*y]) || is_nan::<T, E>(*x) && is_nan::<T, E>(*y);
        assert!(found.iter().zip(&typed(&expected)).all(|(x, y)| same(x, y)), "{described}");
        return;
    }
    assert!(bytes(&found) == bytes(&typed(&expected)), "{described}");
}

#[test]
fn convolutions_of_every_kind() {
    let mut numbers = Numbers(7);
    for i in 0..400 {
        let case = random(&mut numbers);
        match i % 4 {
            0 | 1 => check::<f32, f32>(&case, None, DType::F32, |x| x as f32, i % 8 == 1),
            2 => check::<f64, f64>(&case, None, DType::F64, |x| x, false),
            _ => check::<f32, bf16>(&case, None, DType::BF16, |x| x as f32, i % 8 == 3),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn convolutions_with_every_instruction_set() {
    for (_, kernels) in tile::x86::all_f32() {
        let mut numbers = Numbers(11);
        for _ in 0..150 {
            check::<f32, f32>(&random(&mut numbers), Some(kernels), DType::F32, |x| x as f32, false);
        }
    }
}

/// Window, padding, distances and extent of an axis; padding is the same at both ends.
fn axis(lhs_extent: usize, window: usize, low: i64, [stride, dilation, base_dilation]: [usize; 3]) -> ConvAxis {
    let dilated = ((lhs_extent - 1) * base_dilation + 1) as i64 + 2 * low;
    let extent = (dilated as usize - ((window - 1) * dilation + 1)) / stride + 1;
    ConvAxis { extent, window, lhs_extent, stride, dilation, base_dilation, low, lhs: 0, rhs: 0, out: 0 }
}

/// Large enough, and with features enough, to go from the image.
#[cfg(target_arch = "x86_64")]
#[test]
fn convolutions_of_many_features() {
    let levels = tile::x86::all_f32();
    let Some((_, kernels)) = levels.iter().find(|(name, _)| *name == "matrix tiles") else {
        println!("convolutions_of_many_features: skipped, this machine has no matrix tile registers");
        return;
    };
    let plain = [1, 1, 1];
    let cases: [(&[ConvAxis], [usize; 4]); 8] = [
        (&[axis(9, 3, 1, plain), axis(11, 3, 1, plain)], [1, 1, 32, 20]),
        (&[axis(5, 3, 0, plain), axis(20, 3, 0, plain)], [1, 1, 64, 20]),
        (&[axis(12, 3, 1, [2, 1, 1]), axis(25, 5, 2, [2, 1, 1])], [1, 1, 32, 16]),
        (&[axis(10, 3, 2, [1, 2, 1]), axis(20, 3, -1, [1, 3, 1])], [1, 2, 32, 17]),
        (&[axis(6, 3, 1, [1, 1, 2]), axis(10, 3, 1, [1, 1, 2])], [1, 1, 64, 40]),
        (&[axis(60, 7, 3, plain)], [2, 1, 32, 24]),
        (&[axis(3, 2, 0, plain), axis(4, 3, 1, plain), axis(9, 3, 1, plain)], [1, 1, 32, 16]),
        (&[axis(16, 1, 0, plain), axis(16, 1, 0, plain)], [1, 1, 64, 40]),
    ];
    for (spatial, [batch, groups, inputs, outputs]) in cases {
        let case = |features_last: bool| {
            let spatial = spatial.to_vec();
            Case { batch, groups, inputs, outputs, spatial, features_last, groups_of_images: false }
        };
        check::<f32, f32>(&case(true), Some(kernels), DType::F32, |x| x as f32, false);
        check::<f32, f32>(&case(false), Some(kernels), DType::F32, |x| x as f32, false);
        check::<f32, bf16>(&case(true), Some(kernels), DType::BF16, |x| x as f32, false);
        check::<f32, f32>(&case(true), Some(kernels), DType::F32, |x| x as f32, true);
    }
}

/// Few features of the image, of the result or of both, small windows and windows as large as the image, in both layouts.
#[test]
fn convolutions_of_few_features() {
    let plain = [1, 1, 1];
    let cases: [(&[ConvAxis], [usize; 3]); 14] = [
        // Patches where they are.
        (&[axis(10, 3, 1, plain), axis(19, 5, 2, plain)], [2, 3, 17]),
        (&[axis(17, 7, 3, [2, 1, 1]), axis(23, 7, 3, [2, 1, 1])], [2, 3, 64]),
        (&[axis(4, 2, 1, plain), axis(5, 3, 0, [1, 2, 1]), axis(12, 2, 1, plain)], [1, 5, 9]),
        (&[axis(1100, 25, 12, plain)], [2, 1, 8]),
        (&[axis(9, 2, -1, plain), axis(17, 3, 2, [1, 1, 2])], [2, 4, 32]),
        // Windows as large as the image: gradients for filters.
        (&[axis(12, 12, 1, plain), axis(20, 18, 0, plain)], [1, 5, 17]),
        (&[axis(13, 6, 1, [1, 2, 1]), axis(23, 11, 3, [1, 2, 1])], [3, 2, 32]),
        (&[axis(5, 4, 1, plain), axis(6, 6, 1, [2, 1, 1]), axis(12, 12, 1, plain)], [4, 3, 8]),
        (&[axis(70, 64, 0, plain)], [2, 3, 16]),
        // The same of one result.
        (&[axis(12, 12, 1, plain), axis(10, 19, 1, [1, 1, 2])], [16, 5, 1]),
        // Few results.
        (&[axis(10, 3, 1, plain), axis(12, 5, 2, plain)], [2, 16, 3]),
        (&[axis(10, 3, 1, [1, 2, 3]), axis(12, 3, 2, [1, 1, 2])], [2, 9, 1]),
        (&[axis(3, 2, 1, [1, 1, 2]), axis(6, 3, -1, plain), axis(9, 4, 0, plain)], [2, 8, 4]),
        (&[axis(100, 9, 11, [1, 1, 3])], [2, 32, 2]),
    ];
    for (spatial, [batch, inputs, outputs]) in cases {
        for features_last in [true, false] {
            let spatial = spatial.to_vec();
            let case = Case { batch, groups: 1, inputs, outputs, spatial, features_last, groups_of_images: false };
            check::<f32, f32>(&case, None, DType::F32, |x| x as f32, false);
            check::<f32, f32>(&case, None, DType::F32, |x| x as f32, true);
            check::<f64, f64>(&case, None, DType::F64, |x| x, false);
            check::<f32, bf16>(&case, None, DType::BF16, |x| x as f32, false);
        }
    }
}
