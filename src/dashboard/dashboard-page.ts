export const PAGE = '<style>/* style */</style><script>/* script */</script>';
export const SCRIPT = '';
export const STYLE = '';
