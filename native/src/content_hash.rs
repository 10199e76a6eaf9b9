//! The digest of a file's content, for which zeros at its front are not hashed again and again: they
//! always lead to the same states, and some of those are known here. Such files are mostly holes: disk
//! images, `lastlog`, what `truncate` made. No privileges.

use crate::cancel::Cancel;
use crate::entry::Digest;
use crate::error::Error;
use crate::holes::is_zero;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256};

/// A hash that is fed the whole of a file.
pub struct ContentHash {
    hash: Sha256,
    /// How many zeros came so far, and nothing else; they are not in the hash yet.
    zeros: Option<u64>,
}

impl ContentHash {
    pub fn new() -> ContentHash {
        ContentHash {
            hash: Sha256::new(),
            zeros: Some(0),
        }
    }

    pub fn update(&mut self, bytes: &[u8], cancel: &Cancel) -> Result<(), Error> {
        if let Some(zeros) = self.zeros {
            if is_zero(bytes) {
                self.zeros = Some(zeros + bytes.len() as u64);
                return Ok(());
            }
            self.settle(cancel)?;
        }
        self.hash.update(bytes);
        Ok(())
    }

    pub fn finish(mut self, cancel: &Cancel) -> Result<Digest, Error> {
        self.settle(cancel)?;
        Ok(self.hash.finalize().into())
    }

    /// Puts the zeros at the front into the hash.
    fn settle(&mut self, cancel: &Cancel) -> Result<(), Error> {
        let mut left = self.zeros.take().unwrap_or(0);
        if let Some((hash, hashed)) = after_zeros(left) {
            self.hash = hash;
            left -= hashed;
        }
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        while left > 0 {
            cancel.check()?;
            let step = left.min(ZEROS.len() as u64);
            self.hash.update(&ZEROS[..step as usize]);
            left -= step;
        }
        Ok(())
    }
}

/// The hash of as many zeros as are known here, and how many they are; at most `count`.
fn after_zeros(count: u64) -> Option<(Sha256, u64)> {
    let (number, words) = STATES
        .iter()
        .enumerate()
        .rfind(|(number, _)| length_of(*number) <= count)?;
    let length = length_of(number);
    // The words, how many blocks they are of, and a buffer with nothing in it.
    let mut state = SerializedState::<Sha256>::default();
    let (front, rest) = state.split_at_mut_checked(32)?;
    for (word, place) in front.chunks_exact_mut(4).enumerate() {
        let text = words.get(8 * word..8 * word + 8)?;
        place.copy_from_slice(&u32::from_str_radix(text, 16).ok()?.to_le_bytes());
    }
    rest.get_mut(..8)?
        .copy_from_slice(&(length / 64).to_le_bytes());
    Some((Sha256::deserialize(&state).ok()?, length))
}

/// How many zeros a state is of: 64, 80, 96, 112, 128, 160, 192 … MiB, so that at most a fifth is left to hash.
fn length_of(number: usize) -> u64 {
    ((4 + number as u64 % 4) << (number / 4)) * (16 << 20)
}

/// SHA-256 after so many zeros: eight words each, as the standard writes them.
const STATES: [&str; 41] = [
    "be924b258be44490868b6369d13fbc7a63ac8ad4cffec4a59edad8a569324fd8",
    "4327a2c848ed61c4428b5fafcbf4ff0adf3eeb034bbb0c487fc9156a2a223263",
    "0db8d68a8b8ea9c40dcc03a4b22760ea26186f60d3967213f07256c52c1e89d1",
    "d391f0887e8b6fc877484d145997215af110f2fb1fd14469811e7b5867131e3a",
    "f9d749428eed988a273e01a600352d9539d6813cdd9fd7241a0ac500e292a385",
    "fca73c0d2dac353b112ce283b5da7d798f75aca8b29d38fe63d771df942359bf",
    "acb99689edfbe0f0f27fab578de3a2e9e3f4cb3edabad0dddb2a8f2b3fe4b527",
    "09b1580f1c17a8fd426eb21a45da1bc484e79d78e11774b53499402590901ea6",
    "5960f5609c830d66013ef44c7b49ed1dd00987e02c41d494ca26580bd2f84dc7",
    "a1b80bcd5861d2fa1341c625ce5d7fa92183cc16b3bac39b7c0862d14eea7e66",
    "b918153dadb5608a18ce7a47080cfdd37290f52c335f6ebc9ca45b4637db7f61",
    "6613eeea7f9061426dabe4c6d953faab4fe2582c5fd32a07211ed065dcbcdc5e",
    "c19453160ed03e104e1064e92f8b0652e52774ad065ea229c9c3c2460e0cc072",
    "4eaeecc5aeaf9e93e63c4c90cf4a4f3fb8a1e2c1dc7f8b9262810fa46ff6df4d",
    "eff70a3a6a292fe1a7f24cc7647a57abe1faa965b570d4ec9ff5d8d502cd5232",
    "e42545b94b07f05c2b685c439a130ccb3e305426fdc317c239eaed5d270d2460",
    "93c8183787de705ad0476e09c0f7cccd521fcf628d62099ae9d721b9cdedb746",
    "5ddbd8be01b79719f70b9b2c17fd416c9f83edff25c8acfbebd2adbc1f280b7d",
    "940bc53ad3f3f6ed9bd731a682f882f7b058368c9695bc24b0e243181590aa0f",
    "b32e0f30d3f25e4a4fbc2b3d553b6d92d7f2d3982b06d32a8b340191b979c360",
    "d1be4f536151d5c1ef573060576d9cf8d3c9f93a724ece2e51720f4901eaecb2",
    "0c656100eeffc59c9d7e3dc1a19ce392d0405c3bc0a30409d48a1bc4d50adbe1",
    "bc84adc08217d5603cc9270eaafc7c14625da5b6f45570fd537799f6c1da4b37",
    "a74db79a6848119eb471af38c937eb4090ce57a66dca4ef296555d8e42ab2d67",
    "8ffe48e8fe68159506d4999ee2b1ac4c3e5b953cd5f8bb95e8082d4e8df5e99a",
    "7b1fe9787bf3f8084c03dac4dcdbff74afbad52921273b4e781c019b0a003d23",
    "f50f0bc3928a3ad45b68e8e4766c1d6dd6914b28f64874331101755f79603d57",
    "db5c5f0714a8d6628a6fcbd007c073fe70f06f6e5263447a891e90dfc33587dd",
    "a48b5990642da1bb90db49bdac44c089d6de0663db4f533145aeb0b33384b996",
    "2d711e0d304700d5f37c4e52d9ae37329428e950ff7d01b89fe0dfee251815e0",
    "337c9f67fe525721da015639fee39d97d62c77746a221f9220b82a1b973ad631",
    "2c6118b1e15f62474cccf9b1c280ec3af4e0e6789fd67258dafffa794b40edf3",
    "7a8ba03bc44738508ea1ecc98be9537d5a513a1860a6e42d3ae35562bab23e62",
    "e2d9e8abadc76d13b8fbeaf2847ae812a12eadf59aaacee42dfc15c1f50880a8",
    "9fa3f443ef19d3ec2e56fad03c26a88155a0e2965f9e3a56462e3309d95f3c12",
    "883770a9b7015c67635d0126b6cb895e99efb3a32345e1b5b05a727613e911c4",
    "23b22ac710602e0f39ae045f5e3280516f4f531286342f32f0decab7b1a68230",
    "cc89fdb376162568adb63c6520ad5e4ed6b339186b146f0dce86508c4b73bdf6",
    "456d821a93d93a1ce8b157b2148708b2d34184d351eb932831a1761bc159856c",
    "15487d439ab6b2e78537b7c0b1cc4d7060428c5e4b958c5fe1eba0d4dc2dcaae",
    "8f2e8fee21001d0effe81ecdc1ec94a0e5708ca505c8bfb8e05388335ce9f171",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::digest_text;

    fn digest(pieces: &[&[u8]]) -> Result<Digest, Box<dyn std::error::Error>> {
        let cancel = Cancel::new()?;
        let mut hash = ContentHash::new();
        for piece in pieces {
            hash.update(piece, &cancel)?;
        }
        Ok(hash.finish(&cancel)?)
    }

    fn plain(pieces: &[&[u8]]) -> Digest {
        let hash = pieces.iter().fold(Sha256::new(), Sha256::chain_update);
        hash.finalize().into()
    }

    #[test]
    fn the_digest_is_sha_256s() -> Result<(), Box<dyn std::error::Error>> {
        let zeros = vec![0; 8 << 20];
        let known: Vec<&[u8]> = vec![&zeros; 8];
        let more: Vec<&[u8]> = vec![&zeros; 11];
        let [front, back]: [&[u8]; 2] = [b"front", b"back"];
        for pieces in [
            vec![],
            vec![&zeros[..7]],
            vec![front, &zeros, back],
            vec![&zeros, back, &zeros],
            known.clone(),
            more.clone(),
            [&more[..], &[&zeros[..3], back]].concat(),
            [&[front], &known[..]].concat(),
        ] {
            assert_eq!(digest(&pieces)?, plain(&pieces));
        }
        Ok(())
    }

    #[test]
    fn each_state_follows_from_the_one_before() {
        let zeros = vec![0u8; 16 << 20];
        // Up to 256 MiB: all of them were checked once, which takes a minute.
        for number in 1..9 {
            let before = after_zeros(length_of(number - 1));
            let (mut hash, mut length) = before.unwrap_or_default();
            while length < length_of(number) {
                hash.update(&zeros);
                length += zeros.len() as u64;
            }
            let known = after_zeros(length).map(|(hash, _)| hash.finalize());
            assert_eq!(Some(hash.finalize()), known);
        }
    }

    #[test]
    fn long_zeros_are_what_openssl_says() {
        let known = [
            "8479e43911dc45e89f934fe48d01297e16f51d17aa561d4d1c216b1ae0fcddca",
            "57b295ba06757c81edca2d1e299133b2f059bea28e6cf9f438d7741611c36541",
        ];
        for (length, known) in [4 << 30, 64 << 30].into_iter().zip(known) {
            let digest = after_zeros(length).map(|(hash, _)| digest_text(&hash.finalize().into()));
            assert_eq!(digest, Some(format!("sha256:{known}")));
        }
    }

    #[test]
    fn a_cancelled_hash_stops() -> Result<(), Box<dyn std::error::Error>> {
        let cancel = Cancel::new()?;
        let mut hash = ContentHash::new();
        hash.update(&[0; 1000], &cancel)?;
        cancel.cancel();
        assert!(matches!(hash.finish(&cancel), Err(Error::Cancelled)));
        Ok(())
    }
}
