//! Solving with tridiagonal matrices, by elimination with partial pivoting.

use super::Field;

/// Replaces the n × `others` matrix b by the x with `T x = b`, T having `below[1..]`, `diagonal` and `above[..n - 1]`.
pub fn tridiagonal_solve<T: Field>(below: &[T], diagonal: &[T], above: &[T], others: usize, b: &mut [T]) {
    let n = diagonal.len();
    // Three diagonals of the upper factor; the third one fills where rows trade places.
    let mut factor: Vec<[T; 3]> =
        (0..n).map(|i| [diagonal[i], if i + 1 < n { above[i] } else { T::ZERO }, T::ZERO]).collect();
    for i in 1..n {
        let mut lower = below[i];
        if T::exceeds(lower.size(), factor[i - 1][0].size()) {
            // The next row goes first.
            let [x, y, _] = factor[i - 1];
            factor[i - 1] = [lower, factor[i][0], factor[i][1]];
            factor[i] = [y, T::ZERO, T::ZERO];
            lower = x;
            let (upper, rest) = b.split_at_mut(i * others);
            upper[(i - 1) * others..].swap_with_slice(&mut rest[..others]);
        }
        let [pivot, next, after] = factor[i - 1];
        let ratio = lower / pivot;
        factor[i][0] -= ratio * next;
        factor[i][1] -= ratio * after;
        let (upper, rest) = b.split_at_mut(i * others);
        for (x, &y) in rest[..others].iter_mut().zip(&upper[(i - 1) * others..]) {
            *x -= ratio * y;
        }
    }
    for i in (0..n).rev() {
        let [pivot, next, after] = factor[i];
        for j in 0..others {
            let mut x = b[i * others + j];
            if i + 1 < n {
                x -= next * b[(i + 1) * others + j];
            }
            if i + 2 < n {
                x -= after * b[(i + 2) * others + j];
            }
            b[i * others + j] = x / pivot;
        }
    }
}
