//! The data set: 8×8 images of handwritten digits, with their labels.

use std::error::Error;

use rjax::prelude::*;

static FILE: &[u8] = include_bytes!("../../../data/digits.csv.gz");

/// Images and what they show.
pub struct Digits {
    /// `f32[n, 64]`, 0 to 1.
    pub images: Array,
    /// `i32[n]`.
    pub labels: Array,
    /// The labels again, on the host.
    pub digits: Vec<u8>,
    /// The pixels again, on the host, 64 for each image.
    pub pixels: Vec<f32>,
}

/// Images to learn from and images to test with.
pub struct Split {
    pub train: Digits,
    pub test: Digits,
}

/// Reads the carried file: 64 pixels of 0 to 16 and the digit, one image a line.
pub fn load() -> Result<Digits, Box<dyn Error>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(flate2::read::GzDecoder::new(FILE));
    let (mut pixels, mut digits) = (vec![], vec![]);
    for (line, row) in reader.records().enumerate() {
        let row = row?;
        if row.len() != 65 {
            return Err(format!("digits.csv.gz: line {}: expected 65 numbers, found {}", line + 1, row.len()).into());
        }
        for pixel in row.iter().take(64) {
            pixels.push(pixel.parse::<f32>()? / 16.0);
        }
        digits.push(row[64].parse::<u8>()?);
    }
    Ok(Digits::new(pixels, digits))
}

impl Digits {
    fn new(pixels: Vec<f32>, digits: Vec<u8>) -> Digits {
        let images = jnp::array(pixels.clone()).reshape([digits.len(), 64]);
        let labels = jnp::array(digits.iter().map(|&d| d as i32).collect::<Vec<_>>());
        Digits { images, labels, digits, pixels }
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.digits.len()
    }

    /// The images at these positions.
    fn pick(&self, positions: &[i32]) -> Digits {
        let pixels = positions.iter().flat_map(|&i| &self.pixels[i as usize * 64..][..64]).copied().collect();
        let digits = positions.iter().map(|&i| self.digits[i as usize]).collect();
        Digits::new(pixels, digits)
    }

    /// Shuffles and puts one image in five aside for the test.
    pub fn split(&self, seed: u64) -> Split {
        let order = random::permutation(&Key::new(seed), self.len()).to_vec::<i32>();
        let (test, train) = order.split_at(self.len().div_ceil(5));
        Split { train: self.pick(train), test: self.pick(test) }
    }

    /// All images in a new order, in batches of one size; what is left over at the end sits this epoch out.
    pub fn shuffled_batches(&self, key: &Key, size: usize) -> Vec<(Array, Array)> {
        let order = random::permutation(key, self.len());
        let (images, labels) = (self.images.take(&order, 0), self.labels.take(&order, 0));
        (0..self.len() / size)
            .map(|i| i * size..(i + 1) * size)
            .map(|batch| (images.index(batch.clone()), labels.index(batch)))
            .collect()
    }
}
