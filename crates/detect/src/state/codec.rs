//! Numbers and texts as bytes: little-endian, lengths first. A reader never takes more memory than it has bytes to read.

/// Bytes that end where more was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut;

/// Writes to the end of its bytes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn u64(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, number: i64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn length(&mut self, length: usize) {
        self.u64(length as u64);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

/// Reads from the beginning of its bytes.
#[derive(Debug)]
pub(crate) struct Reader<'r> {
    pub(crate) rest: &'r [u8],
}

impl<'r> Reader<'r> {
    pub(crate) fn take(&mut self, length: usize) -> Result<&'r [u8], Cut> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Cut> {
        self.take(8)?.try_into().map(u64::from_le_bytes).map_err(|_| Cut)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Cut> {
        self.take(8)?.try_into().map(i64::from_le_bytes).map_err(|_| Cut)
    }

    /// How many things of at least so many bytes follow.
    pub(crate) fn length(&mut self, bytes_each: usize) -> Result<usize, Cut> {
        let length = usize::try_from(self.u64()?).map_err(|_| Cut)?;
        let bytes = length.checked_mul(bytes_each).ok_or(Cut)?;
        if bytes > self.rest.len() { Err(Cut) } else { Ok(length) }
    }

    pub(crate) fn text(&mut self) -> Result<String, Cut> {
        let length = self.length(1)?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| Cut)
    }
}
