import type { Shell } from "../commands/completion/schemas.ts";

/** The completion script of a shell. It asks `box complete-words` for everything, so it never goes stale. */
export function completionScript(shell: Shell): string {
  return scripts[shell];
}

const bash = `# box completion for bash
_box_complete() {
  local line cur prefix
  local -a words found
  # Words are split at blanks only: bash's own list breaks image references at ":".
  read -ra words <<<"\${COMP_LINE:0:COMP_POINT}"
  case "\${COMP_LINE:0:COMP_POINT}" in *[[:blank:]]) words+=("") ;; esac
  cur="\${words[\${#words[@]}-1]}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :files) compopt -o filenames 2>/dev/null; mapfile -t found < <(compgen -f -- "$cur") ;;
      :directories) compopt -o filenames 2>/dev/null; mapfile -t found < <(compgen -d -- "$cur") ;;
      ?*) found+=("\${line%%$'\\t'*}") ;;
    esac
  done < <("\${words[0]}" complete-words -- "\${words[@]:1}" 2>/dev/null)
  prefix=""
  case "$cur" in *:*) case "$COMP_WORDBREAKS" in *:*) prefix="\${cur%"\${cur##*:}"}" ;; esac ;; esac
  for line in "\${found[@]}"; do COMPREPLY+=("\${line#"$prefix"}"); done
}
complete -F _box_complete box`;

const zsh = `#compdef box
_box() {
  local line value summary
  local -a found
  while IFS= read -r line; do
    case "$line" in
      :files) _files ;;
      :directories) _files -/ ;;
      ?*)
        value="\${line%%$'\\t'*}"
        summary="\${line#*$'\\t'}"
        found+=("\${value//:/\\\\:}:$summary")
        ;;
    esac
  done < <("\${words[1]}" complete-words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( $#found )) && _describe 'box' found
}
if [ "$funcstack[1]" = "_box" ]; then _box "$@"; else compdef _box box; fi`;

const fish = `# box completion for fish
function __box_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    for line in ($program complete-words -- $words (commandline -ct) 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path (commandline -ct)
            case ':directories'
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $line
        end
    end
end
complete -c box -f -a '(__box_complete)'`;

const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
