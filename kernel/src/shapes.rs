//! Arithmetic on shapes and strides.

use rjax_ir::Shape;

/// Splits the axes of two shapes of one (nonzero) size into runs with equal products, in order: `[2,3,4]` and `[6,2,2]` give
/// `(0..2, 0..1), (2..3, 1..3)`.
pub(crate) fn common_runs(a: &[usize], b: &[usize]) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut runs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let (from_a, from_b) = (i, j);
        let (mut size_a, mut size_b) = (1, 1);
        if i < a.len() {
            size_a = a[i];
            i += 1;
        }
        if j < b.len() {
            size_b = b[j];
            j += 1;
        }
        while size_a != size_b {
            if size_a < size_b {
                size_a *= a[i];
                i += 1;
            } else {
                size_b *= b[j];
                j += 1;
            }
        }
        runs.push((from_a..i, from_b..j));
    }
    runs
}

/// The axes, other than those of extent 1, that a reshape leaves alone: pairs of an axis of `a` and one of `b`.
pub(crate) fn equal_axes(a: &Shape, b: &Shape) -> Vec<(usize, usize)> {
    if a.size() == 0 {
        return vec![];
    }
    let long = |axes: std::ops::Range<usize>, shape: &Shape| axes.filter(|&i| shape[i] != 1).collect::<Vec<_>>();
    let mut pairs = Vec::new();
    for (run_a, run_b) in common_runs(a, b) {
        if let ([i], [j]) = (&long(run_a, a)[..], &long(run_b, b)[..]) {
            pairs.push((*i, *j));
        }
    }
    pairs
}

/// Strides of a view after a reshape, if one set of strides can express it. The size is not zero.
pub(crate) fn reshape_strides(shape: &[usize], strides: &[isize], result: &[usize]) -> Option<Vec<isize>> {
    let mut new = vec![0; result.len()];
    for (from, to) in common_runs(shape, result) {
        let long: Vec<usize> = from.filter(|&i| shape[i] != 1).collect();
        for pair in long.windows(2) {
            if strides[pair[0]] != strides[pair[1]] * shape[pair[1]] as isize {
                return None;
            }
        }
        let mut stride = long.last().map_or(0, |&i| strides[i]);
        for axis in to.rev() {
            new[axis] = if result[axis] == 1 { 0 } else { stride };
            stride *= result[axis] as isize;
        }
    }
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_reshapes() {
        assert_eq!(common_runs(&[2, 3, 4], &[6, 2, 2]), [(0..2, 0..1), (2..3, 1..3)]);
        assert_eq!(common_runs(&[], &[1, 1]).len(), 2);
        assert_eq!(common_runs(&[4, 1], &[1, 4]).iter().map(|(a, _)| a.len()).sum::<usize>(), 2);
        assert_eq!(equal_axes(&Shape::from([2, 3, 4]), &Shape::from([2, 1, 12])), [(0, 0)]);
        assert_eq!(equal_axes(&Shape::from([5, 1]), &Shape::from([1, 5])), [(0, 1)]);
    }

    #[test]
    fn strides_of_reshapes() {
        assert_eq!(reshape_strides(&[2, 3], &[3, 1], &[6]), Some(vec![1]));
        assert_eq!(reshape_strides(&[2, 3], &[1, 2], &[6]), None);
        assert_eq!(reshape_strides(&[6, 2], &[1, 6], &[2, 3, 2]), Some(vec![3, 1, 6]));
    }
}
