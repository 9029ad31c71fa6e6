//! Puts together what the block of an entry and the headers before it say.

use super::block::Block;
use super::records::Records;
use super::{Error, NAME_LEN_MAX};
use crate::wire::tar::header::{Header, Kind};

/// All that is known of an entry.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) header: Header,
    pub(super) user_name: Vec<u8>,
    pub(super) group_name: Vec<u8>,
}

impl Member {
    /// The entry whose block is at `at`; what was said before it goes first.
    pub(super) fn new(at: u64, block: Block, said: Records) -> Result<Self, Error> {
        let path = said.path.flatten().unwrap_or(block.path);
        if said.is_sparse || block.type_flag == b'S' {
            let path = said.sparse_path.flatten().unwrap_or(path);
            return Err(Error::Sparse { path });
        }
        let target = said.target.flatten().unwrap_or(block.target);
        let user_name = said.user_name.flatten().unwrap_or(block.user_name);
        let group_name = said.group_name.flatten().unwrap_or(block.group_name);
        let names = [&path, &target, &user_name, &group_name];
        if names.iter().any(|name| NAME_LEN_MAX < name.len()) {
            let (what, limit) = ("a name", NAME_LEN_MAX);
            return Err(Error::TooLong { at, what, limit });
        }
        let len = said.len.flatten().unwrap_or(block.len);
        let kind = kind(block.type_flag, path.ends_with(b"/"), target, len);
        let kind = kind.map_err(|field| Error::Field { at, field })?;
        let has_data = matches!(kind, Kind::File | Kind::Other(_));
        let (mtime_s, mtime_ns) = said.mtime.flatten().unwrap_or((block.mtime_s, 0));
        let header = Header {
            path,
            kind,
            mode: block.mode,
            uid: said.uid.flatten().unwrap_or(block.uid),
            gid: said.gid.flatten().unwrap_or(block.gid),
            mtime_s,
            mtime_ns,
            len: if has_data { len } else { 0 },
        };
        Ok(Self {
            header,
            user_name,
            group_name,
        })
    }
}

/// What a type flag means, or the field that does not go with it.
fn kind(flag: u8, has_slash: bool, target: Vec<u8>, len: u64) -> Result<Kind, &'static str> {
    match flag {
        // Programs do not agree on whether a directory has data, so nobody knows what follows.
        b'0' | b'7' | 0 if has_slash && len != 0 => Err("size"),
        b'0' | b'7' | 0 if has_slash => Ok(Kind::Directory),
        b'0' | b'7' | 0 => Ok(Kind::File),
        b'1' | b'2' if target.is_empty() => Err("linkname"),
        b'1' => Ok(Kind::HardLink(target)),
        b'2' => Ok(Kind::Symlink(target)),
        b'3' => Ok(Kind::CharDevice),
        b'4' => Ok(Kind::BlockDevice),
        b'5' => Ok(Kind::Directory),
        b'6' => Ok(Kind::Fifo),
        flag => Ok(Kind::Other(flag)),
    }
}
