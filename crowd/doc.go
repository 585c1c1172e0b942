// Package crowd bounds how many strangers are served at once.
//
// It owns one rule: when there are too many, the one that has been there for
// longest goes, because an honest one would have been over. A flood then costs
// its senders their place and nobody else's. It may not know what they are: the
// caller says how one is given up.
//
// Start with Crowd.
package crowd
