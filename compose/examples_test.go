package compose

import (
	"path/filepath"
	"testing"
)

func TestExamplesLoad(t *testing.T) {
	files, err := filepath.Glob("../configs/examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			stack, err := Load(t.Context(), Options{Files: []string{file}, Env: map[string]string{}})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range stack.Warnings {
				t.Errorf("warning: %s", w)
			}
			for _, s := range stack.Services {
				if image := s.Spec.Template.Container.Image.Ref; image != "muster-hello:1" && image != "muster-shop:1" {
					t.Errorf("service %s runs %s, which an offline host does not have", s.Name, image)
				}
			}
		})
	}
}
