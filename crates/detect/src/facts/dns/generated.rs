//! Whether a name reads as if a machine had made it.
//!
//! A small model of spelling: how many bits a letter costs after the one before it, counted over the 40,000 words of the English
//! word list SCOWL (size "small", Copyright 2000-2011 Kevin Atkinson), rounded to whole bits. Random letters cost more than words of any
//! language do. Measured on 148,249 domains that their owners entered into the browsers' list for HTTPS: 1.6 % of them read as made by a
//! machine, most of them Slavic, Turkish or abbreviations; of random letters 97 % of names of 10 and 99 % of names of 14
//! do, of random letters with digits 98 %, of hexadecimal digits 72 %. Names that are put together from words are not told. One name is
//! therefore no reason to report anything; the rules ask for several that do not exist.

/// The shortest label that is judged: shorter ones are too often abbreviations.
const JUDGED_BYTES_MIN: usize = 10;

/// From this mean cost of a pair on, in hundredths of a bit, a label counts as made by a machine.
const GENERATED_CENTIBITS_MIN: i64 = 500;

/// What a digit costs after a digit, in bits: they are seldom words, but often years.
const DIGIT_BITS: i64 = 4;

/// What a hyphen costs, before and after it.
const HYPHEN_BITS: i64 = 3;

/// What it costs to change between letters and digits.
const CHANGE_BITS: i64 = 6;

/// What each letter (column) costs after each letter (row), in bits, as a digit.
#[rustfmt::skip]
const BITS: [[u8; 26]; 26] = [
    *b"95459759596353959342666868", // a
    *b"35983999389289399347399979", // b
    *b"39693993494499299464499979", // c
    *b"48852869289578489449577969", // d
    *b"47535668799453768225867679", // e
    *b"39993399299399399465399959", // f
    *b"39992944399475499348499969", // g
    *b"37992899399778399564498959", // h
    *b"56454659998452469544959995", // i
    *b"29992999499999299999299999", // j
    *b"57991797298475679837797959", // k
    *b"39862889297379389945579949", // l
    *b"34992899399847339959499979", // m
    *b"49443628496896598833679989", // n
    *b"66557659696442459344455879", // o
    *b"39992994399499349355499979", // p
    *b"99999999999999999999099999", // q
    *b"37652768396756379534578969", // r
    *b"59493894396566547942496969", // s
    *b"39692894299689499445597959", // t
    *b"55555659599343759333999898", // u
    *b"39991999299999499999799989", // v
    *b"26863894297594389447999989", // w
    *b"49393995299889639993569569", // x
    *b"46463777398544449535996897", // y
    *b"49991999299499599999789963", // z
];

/// Whether a label, in lower case, reads as if a machine had made it. Encoded names of other scripts (`xn--`) are not judged.
pub(super) fn is_generated(label: &str) -> bool {
    let is_judged = label.len() >= JUDGED_BYTES_MIN && !label.starts_with("xn--");
    is_judged && cost_centibits([label]).is_some_and(|cost| cost >= GENERATED_CENTIBITS_MIN)
}

/// The mean cost of a pair of neighbours within the labels, in hundredths of a bit; none where there is no pair.
pub(super) fn cost_centibits<'a>(labels: impl IntoIterator<Item = &'a str>) -> Option<i64> {
    let (mut bits, mut count) = (0_i64, 0_i64);
    for label in labels {
        let letters = label.as_bytes();
        for (one, next) in letters.iter().zip(letters.iter().skip(1)) {
            bits += pair_bits(*one, *next);
            count += 1;
        }
    }
    (bits * 100).checked_div(count)
}

fn pair_bits(one: u8, next: u8) -> i64 {
    let place = |letter: u8| letter.is_ascii_lowercase().then(|| usize::from(letter - b'a'));
    if let (Some(one), Some(next)) = (place(one), place(next)) {
        let bits = BITS.get(one).and_then(|row| row.get(next)).map_or(0, |digit| digit - b'0');
        return i64::from(bits);
    }
    match (one, next) {
        (b'-', _) | (_, b'-') => HYPHEN_BITS,
        _ if one.is_ascii_digit() && next.is_ascii_digit() => DIGIT_BITS,
        _ => CHANGE_BITS,
    }
}

/// Shannon's entropy of the letters, in hundredths of a bit for each.
pub(super) fn entropy_centibits(letters: &[u8]) -> i64 {
    let mut counts = [0_u32; 256];
    for letter in letters {
        if let Some(count) = counts.get_mut(usize::from(*letter)) {
            *count += 1;
        }
    }
    let all = f64::from(u32::try_from(letters.len()).unwrap_or(u32::MAX));
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / all);
    let bits: f64 = shares.map(|share| -share * share.log2()).sum();
    // INVARIANT: between 0 and 8 bits, so nothing is lost.
    #[expect(clippy::cast_possible_truncation, reason = "at most 800")]
    let centibits = (bits * 100.0).round() as i64;
    centibits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(label: &str, expected: bool) {
        assert_eq!(is_generated(label), expected, "{label}: {:?}", cost_centibits([label]));
    }

    #[test]
    fn words_are_told_from_noise() {
        for label in [
            "photographers",
            "amazonaws",
            "googleusercontent",
            "salesforce",
            "stackoverflow",
            "rakuten-sec",
            "krankenkasse",
            "tokyo-metro",
            "newsletter2024",
            "mitsubishielectric",
        ] {
            check(label, false);
        }
        for label in ["xjwqkzvbnpfh", "qzkvtxhgwpbd", "kq3v9zx7wj2p", "vhjqxzkwpfbtgd", "pzxqwvkjtrmnbz"] {
            check(label, true);
        }
    }

    #[test]
    fn short_and_encoded_labels_are_not_judged() {
        check("xqzkvjw", false);
        check("xn--wgv71a119e", false);
        check("", false);
    }

    #[test]
    fn encoded_data_is_spelt_unlike_words() {
        assert_eq!(cost_centibits([]), None);
        assert_eq!(cost_centibits(["a", "b"]), None);
        let words = cost_centibits("production-checkout-service.replica-number-twelve".split('.'));
        let data = cost_centibits("nbswy3dpeb3w64tmmqqho2lu.nbqsaytjorzsa33gebqw4zba".split('.'));
        assert!(words < Some(450) && data >= Some(450), "{words:?} {data:?}");
    }

    #[test]
    fn entropy_is_that_of_the_letters() {
        assert_eq!(entropy_centibits(b""), 0);
        assert_eq!(entropy_centibits(b"aaaa"), 0);
        assert_eq!(entropy_centibits(b"abab"), 100);
        assert_eq!(entropy_centibits(b"abcdefgh"), 300);
    }
}
