// Package buildctx packs a directory for an image builder.
//
// It owns what of the directory is sent: everything, less what .dockerignore
// excludes. It may not know who builds, nor where.
//
// Start with Write, then ignore.go.
package buildctx
