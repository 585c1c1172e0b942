package compose

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/musterhq/muster/cluster"
)

// MaxFileSize bounds one input file, in bytes.
const MaxFileSize = 1 << 20

// stdinName is the file name that stands for Options.Stdin.
const stdinName = "-"

// Options says what Load reads.
type Options struct {
	// Files are merged in order, as Compose does; "-" is Stdin.
	Files []string
	Stdin io.Reader
	// Stack names the stack; empty takes the file's name, else its directory's.
	Stack string
	// Env resolves variables before the .env file of the working directory
	// does; nil is the environment of the process.
	Env map[string]string
	// WorkingDir is what relative paths start from; empty is the directory
	// of the first file, or the current one for Stdin.
	WorkingDir string
}

// input is everything that was read before anything is understood.
type input struct {
	dir   string // absolute
	files []types.ConfigFile
	env   types.Mapping
	// obsolete is set when a file has the attribute version.
	obsolete bool
}

func read(o Options) (*input, error) {
	if len(o.Files) == 0 {
		return nil, cluster.Invalid("file", "is missing", "name one, such as compose.yaml")
	}
	dir, err := workingDir(o)
	if err != nil {
		return nil, fmt.Errorf("find the working directory: %w", err)
	}
	in := &input{dir: dir}
	if in.env, err = environment(o.Env, dir); err != nil {
		return nil, err
	}
	for _, name := range o.Files {
		file, err := readFile(name, o.Stdin)
		if err != nil {
			return nil, o.unread(name, err)
		}
		obsolete, err := preflight(file.Content)
		if err != nil {
			return nil, o.unread(name, err)
		}
		in.obsolete = in.obsolete || obsolete
		in.files = append(in.files, file)
	}
	return in, nil
}

// unread says which file could not be read, where the caller cannot know.
func (o Options) unread(name string, err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; check its name and the directory", err)
	}
	if len(o.Files) == 1 {
		return fmt.Errorf("read compose file: %w", err)
	}
	return fmt.Errorf("read compose file %s: %w", name, err)
}

func workingDir(o Options) (string, error) {
	switch first := o.Files[0]; {
	case o.WorkingDir != "":
		return filepath.Abs(o.WorkingDir)
	case first == stdinName:
		return os.Getwd()
	default:
		return filepath.Abs(filepath.Dir(first))
	}
}

// environment is env, or the process's, over the .env file of dir.
func environment(env map[string]string, dir string) (types.Mapping, error) {
	out := types.Mapping{}
	if env == nil {
		for _, entry := range os.Environ() {
			if key, value, ok := strings.Cut(entry, "="); ok && key != "" {
				out[key] = value
			}
		}
	}
	maps.Copy(out, env)
	file := filepath.Join(dir, ".env")
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		return out, nil //nolint:nilerr // the file is optional
	}
	fromFile, err := dotenv.GetEnvFromFile(out, []string{file})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return out.Merge(fromFile), nil
}

func readFile(name string, stdin io.Reader) (types.ConfigFile, error) {
	if name == stdinName {
		if stdin == nil {
			return types.ConfigFile{}, errors.New("there is no standard input")
		}
		content, err := readBounded(stdin)
		return types.ConfigFile{Filename: stdinName, Content: content}, err
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return types.ConfigFile{}, err
	}
	f, err := os.Open(abs)
	if err != nil {
		return types.ConfigFile{}, err
	}
	defer f.Close()
	content, err := readBounded(f)
	return types.ConfigFile{Filename: abs, Content: content}, err
}

func readBounded(r io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, MaxFileSize+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > MaxFileSize:
		return nil, fmt.Errorf("it is larger than %s; split it with include", cluster.FormatBytes(MaxFileSize))
	}
	return content, nil
}
