// Package paint is what the lists of the command line and the screen of
// `muster top` share in how a text looks on a terminal.
//
// It owns colours, which states have which, and what of a text by others is
// shown. It may not know where the text goes: the caller says whether to paint.
//
// Start with Style.
package paint
