//! The log lake: every event of every log, in open tables on the owner's machine, and SQL over them.
//!
//! In: log objects as AWS delivers them (a path and bytes). Out: rows in Delta tables, answers to queries, and the list
//! of what could not be read and why.
//! Never here: rules, findings, AWS clients, the terminal.
