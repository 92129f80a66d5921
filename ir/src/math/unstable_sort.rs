//! Sorting as XLA on CPUs does where equal keys need not keep their order: introsort, as GNU's C++ library writes it.
//!
//! Where equal keys end up is part of what the op means, so that JAX's programs give JAX's results and every backend the same ones.

/// Shorter ranges are left to insertion sort.
const THRESHOLD: usize = 16;

/// Sorts by `less`, a strict weak order.
///
/// ```
/// use rjax_ir::math::unstable_sort;
/// let keys = [3, 1, 2, 1];
/// let mut order = [0, 1, 2, 3];
/// unstable_sort(&mut order, |a: usize, b: usize| keys[a] < keys[b]);
/// assert_eq!(order.map(|i| keys[i]), [1, 1, 2, 3]);
/// ```
pub fn unstable_sort<T: Copy>(items: &mut [T], less: impl Fn(T, T) -> bool) {
    if items.len() < 2 {
        return;
    }
    introsort(items, 2 * items.len().ilog2(), &less);
    let first = items.len().min(THRESHOLD);
    insertion_sort(&mut items[..first], &less);
    for i in first..items.len() {
        insert_backwards(items, i, &less);
    }
}

/// Partitions until ranges are short, or, where the pivots are too bad, sorts by a heap.
fn introsort<T: Copy>(mut items: &mut [T], mut depth: u32, less: &impl Fn(T, T) -> bool) {
    while items.len() > THRESHOLD {
        if depth == 0 {
            heap_sort(items, less);
            return;
        }
        depth -= 1;
        median_to_front(items, [1, items.len() / 2, items.len() - 1], less);
        let cut = partition(items, less);
        let (low, high) = items.split_at_mut(cut);
        introsort(high, depth, less);
        items = low;
    }
}

/// Swaps the median of three positions with the first item.
fn median_to_front<T: Copy>(items: &mut [T], [a, b, c]: [usize; 3], less: &impl Fn(T, T) -> bool) {
    let less = |i: usize, j: usize| less(items[i], items[j]);
    let median = if less(a, b) {
        if less(b, c) {
            b
        } else if less(a, c) {
            c
        } else {
            a
        }
    } else if less(a, c) {
        a
    } else if less(b, c) {
        c
    } else {
        b
    };
    items.swap(0, median);
}

/// Separates the items after the first one by it, and returns where those begin that are not less. The median of three before it
/// bounds both searches.
fn partition<T: Copy>(items: &mut [T], less: &impl Fn(T, T) -> bool) -> usize {
    let pivot = items[0];
    let (mut first, mut last) = (1, items.len());
    loop {
        while less(items[first], pivot) {
            first += 1;
        }
        last -= 1;
        while less(pivot, items[last]) {
            last -= 1;
        }
        if first >= last {
            return first;
        }
        items.swap(first, last);
        first += 1;
    }
}

fn insertion_sort<T: Copy>(items: &mut [T], less: &impl Fn(T, T) -> bool) {
    for i in 1..items.len() {
        if less(items[i], items[0]) {
            items[..=i].rotate_right(1);
        } else {
            insert_backwards(items, i, less);
        }
    }
}

/// Moves an item down to its place among the sorted ones before it, of which the first is not greater.
fn insert_backwards<T: Copy>(items: &mut [T], mut i: usize, less: &impl Fn(T, T) -> bool) {
    let item = items[i];
    while less(item, items[i - 1]) {
        items[i] = items[i - 1];
        i -= 1;
    }
    items[i] = item;
}

fn heap_sort<T: Copy>(items: &mut [T], less: &impl Fn(T, T) -> bool) {
    let count = items.len();
    for parent in (0..count / 2).rev() {
        let item = items[parent];
        sift(items, parent, item, less);
    }
    for last in (1..count).rev() {
        let item = items[last];
        items[last] = items[0];
        sift(&mut items[..last], 0, item, less);
    }
}

/// Puts an item in the place of `hole`: down along the greater children, then up to its place.
fn sift<T: Copy>(items: &mut [T], top: usize, item: T, less: &impl Fn(T, T) -> bool) {
    let count = items.len();
    let mut hole = top;
    while 2 * hole + 2 < count {
        let right = 2 * hole + 2;
        let greater = if less(items[right], items[right - 1]) { right - 1 } else { right };
        items[hole] = items[greater];
        hole = greater;
    }
    if 2 * hole + 2 == count {
        items[hole] = items[count - 1];
        hole = count - 1;
    }
    while hole > top && less(items[(hole - 1) / 2], item) {
        items[hole] = items[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    items[hole] = item;
}

#[cfg(test)]
mod tests {
    use super::unstable_sort;

    fn order(keys: &[u32]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..keys.len()).collect();
        unstable_sort(&mut order, |a, b| keys[a] < keys[b]);
        order
    }

    /// Orders of 40 keys below 5 and of 20 below 2, from JAX on a CPU: `lax.sort((keys, iota), num_keys=1, is_stable=False)`.
    #[test]
    fn equal_keys_are_left_as_by_jax() {
        let mut state = 1u32;
        let mut next = |limit: u32| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 16) % limit
        };
        let forty = [
            8, 18, 15, 14, 21, 11, 25, 26, 7, 3, 37, 1, 20, 29, 34, 35, 0, 2, 12, 5, 28, 39, 38, 36, 4, 33, 31, 17, 24,
            27, 9, 32, 10, 23, 22, 6, 30, 13, 19, 16,
        ];
        let twenty = [10, 19, 18, 16, 13, 9, 8, 7, 6, 5, 4, 0, 11, 12, 14, 15, 3, 17, 2, 1];
        let cases: [(u32, &[usize]); 2] = [(5, &forty), (2, &twenty)];
        for (limit, expected) in cases {
            let keys: Vec<u32> = expected.iter().map(|_| next(limit)).collect();
            assert_eq!(order(&keys), expected);
        }
    }

    #[test]
    fn any_keys_are_sorted() {
        for count in [0u32, 1, 2, 15, 16, 17, 100, 1000] {
            for modulus in [1, 2, 7, 1009] {
                // Organ pipes and sawteeth, which make bad pivots.
                for shape in [|i: u32, n: u32| i.min(n - i), |i: u32, _| i, |i: u32, n: u32| n - i] {
                    let keys: Vec<u32> = (0..count).map(|i| shape(i, count) * 31 % modulus).collect();
                    let mut order = order(&keys);
                    assert!(order.is_sorted_by_key(|&i| keys[i]));
                    order.sort_unstable();
                    assert!(order.into_iter().eq(0..count as usize), "a permutation");
                }
            }
        }
    }
}
